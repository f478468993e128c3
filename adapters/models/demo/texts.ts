/** The demo's longer sentences. */
export const introduction =
  "I am the **demo model**: I run offline, need no key, and follow simple rules. To talk to a real model, set " +
  "`ASCENT_MODEL` and start the gateway again, for example `ASCENT_MODEL=openai:gpt-5` with `OPENAI_API_KEY`, " +
  "`gemini:gemini-2.5-flash` with `GEMINI_API_KEY`, or `compatible:llama3.2` with `OPENAI_BASE_URL`.";

export const abilities = [
  "Here is what you can try:",
  "",
  "- **what time is it?** – I use a tool for that",
  "- **what is 12*7+3** – a calculator is another tool",
  "- **offer me choices** – buttons, or a numbered list where the channel has none",
  "- **send me a file** or **send me a picture** – attachments",
  "- **show markdown** – headings, a table, code",
  "- **write a long story** – a long answer, streamed and split as the channel needs it",
  "- **remember that my cat is called Tom**, then **what did I say before?** – memory",
  "- send me a photo, a voice note, a location or a contact",
].join("\n");

export const sample = [
  "## A sample of formatting",
  "",
  "**Bold**, *italic*, ~~struck out~~, `inline code` and a [link](https://github.com/dapr/dapr).",
  "",
  "| channel | buttons | markdown |",
  "| --- | :---: | --- |",
  "| web | yes | all of it |",
  "| telegram | yes | as HTML |",
  "| webhook | no | as it is |",
  "",
  "1. first",
  "2. second",
  "   - nested",
  "",
  "> A quotation.",
  "",
  "```ts",
  "export function greet(name: string): string {",
  "  return `Hello, ${name}!`;",
  "}",
  "```",
].join("\n");

export const fileText = [
  "This file was made by Ascent's demo model.",
  "",
  "An agent sends a file by the tool send_file; the gateway stores the bytes once and every channel delivers them in",
  "its own way: as a document, as a download, or as a link.",
  "",
].join("\n");

const people = ["a lighthouse keeper", "a young clockmaker", "an old ferryman", "a travelling librarian"];
const places = [
  "at the edge of the harbour",
  "behind the northern hills",
  "under the great bridge",
  "in the empty station",
];
const deeds = [
  "found a letter that had never been delivered",
  "counted the lamps and found one too many",
  "heard the same three notes every evening",
  "kept a door open for somebody who was late",
];
const ends = [
  "Nobody asked why, and so nobody was told.",
  "The rain wrote it down on every window.",
  "It was answered once, and in its own time.",
  "By morning the whole town knew the half of it.",
  "What had been promised was kept.",
];

/** The same story for the same seed: eight chapters, about six thousand characters. */
export function story(seed: number): string {
  const pick = (list: readonly string[], at: number): string => list[(seed + at) % list.length] ?? "";
  const chapters = Array.from({ length: 8 }, (_, chapter) => {
    const sentences = Array.from({ length: 6 }, (__, line) => {
      const at = chapter * 7 + line;
      const who = pick(people, at);
      const start = line % 2 === 0 ? `On the ${ordinal(at + 1)} day ${who}` : `${who[0]?.toUpperCase()}${who.slice(1)}`;
      return `${start}, ${pick(places, at + chapter)}, ${pick(deeds, at * 3 + chapter)}. ${pick(ends, at)}`;
    });
    return `### Chapter ${chapter + 1}\n\n${sentences.join(" ")}`;
  });
  return `## The undelivered letter\n\n${chapters.join("\n\n")}\n\n*The end.*`;
}

function ordinal(n: number): string {
  const suffix = n % 100 >= 11 && n % 100 <= 13 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${suffix}`;
}
