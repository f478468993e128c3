import { InputError } from "../../src/errors.ts";

/** Who serves the model. `compatible` is any server that speaks OpenAI's Chat Completions. */
export type Vendor = "openai" | "gemini" | "compatible";
export type ModelSpec = { readonly vendor: "demo" } | { readonly vendor: Vendor; readonly model: string };

/** The setting that holds the vendor's key, for sentences to the operator. */
export const keyNames: Readonly<Record<Vendor, string>> = {
  openai: "OPENAI_API_KEY",
  gemini: "GEMINI_API_KEY",
  compatible: "OPENAI_API_KEY",
};

/**
 * Reads `demo`, `openai:<model>`, `gemini:<model>` or `compatible:<model>`; a model's name may contain colons
 * (`compatible:llama3.2:3b`).
 * @throws InputError that says what is allowed.
 */
export function parseModelSpec(spec: string): ModelSpec {
  if (spec === "demo") return { vendor: "demo" };
  const at = spec.indexOf(":");
  const vendor = spec.slice(0, Math.max(at, 0));
  const model = spec.slice(at + 1).trim();
  if (model !== "" && (vendor === "openai" || vendor === "gemini" || vendor === "compatible")) return { vendor, model };
  throw new InputError(
    `The model ${JSON.stringify(spec)} is not known. Use demo, openai:<model>, gemini:<model> or compatible:<model>.`,
  );
}

/**
 * Reads one or several of them, with commas between: the first one that can be had answers. @returns them as they are written, each once.
 * @throws InputError as {@link parseModelSpec}, and where `demo` is one of several: it would answer people with nonsense.
 */
export function parseModelList(list: string): readonly [string, ...string[]] {
  const [first = "", ...others] = new Set(list.split(",").map((spec) => spec.trim()));
  for (const spec of [first, ...others]) {
    if (parseModelSpec(spec).vendor === "demo" && others.length > 0)
      throw new InputError("The demo model stands in for no other: leave it out of the list.");
  }
  return [first, ...others];
}

/** An agent's settings, of which at most one is given. */
export interface NamedModels {
  readonly model?: string | undefined;
  readonly models?: readonly string[] | undefined;
}

/** As one spec: a list has commas between. Undefined where the agent names none. */
export function modelsOfAgent({ model, models }: NamedModels): string | undefined {
  return models?.join(",") ?? model;
}

interface OtherSpec {
  readonly vendor: Vendor;
  readonly model: string;
}

/**
 * Reads `openai:<model>` or `compatible:<model>`: who has an address that transcribes.
 * @throws InputError that says what is allowed.
 */
export function parseTranscriptionSpec(spec: string): OtherSpec {
  return parseOtherSpec(spec, ["openai", "compatible"], "does not transcribe");
}

/**
 * Reads `openai:<model>`, `gemini:<model>` or `compatible:<model>`.
 * @throws InputError that says what is allowed.
 */
export function parseEmbeddingSpec(spec: string): OtherSpec {
  return parseOtherSpec(spec, ["openai", "gemini", "compatible"], "makes no vectors");
}

function parseOtherSpec(spec: string, vendors: readonly Vendor[], cannot: string): OtherSpec {
  const at = spec.indexOf(":");
  const vendor = vendors.find((one) => one === spec.slice(0, Math.max(at, 0)));
  const model = spec.slice(at + 1).trim();
  if (model !== "" && vendor !== undefined) return { vendor, model };
  const allowed = vendors.map((one) => `${one}:<model>`);
  const words = `${allowed.slice(0, -1).join(", ")} or ${allowed.at(-1)}`;
  throw new InputError(`The model ${JSON.stringify(spec)} ${cannot}. Use ${words}.`);
}
