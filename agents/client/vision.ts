/** Families of models that take pictures, by how their names begin or what they contain. */
const seeing =
  /gpt-4o|gpt-4\.1|gpt-4-turbo|gpt-[5-9]|chatgpt|(?:^|[/:])o[134](?!-mini)|o4-mini|claude|gemini|gemma-?3|llava|vision|pixtral|[-_]?vl\b|minicpm-v|moondream|llama-?4|internvl|mistral-(?:small-?3|medium-?3)|phi-[34][\w.]*-(?:vision|multimodal)/i;
const blind = /audio|embed|gpt-3\.5|realtime|transcribe|tts/i;

/**
 * Whether pictures are given to this model, or the first of this list. "auto": as its name says; one that is not known is given none.
 * Another one of the list that refuses them is asked without them.
 */
export function seesPictures(setting: boolean | "auto", list: string): boolean {
  if (setting !== "auto") return setting;
  const [spec = ""] = list.split(",");
  const at = spec.indexOf(":");
  const model = spec.slice(at + 1);
  return at > 0 && seeing.test(model) && !blind.test(model);
}
