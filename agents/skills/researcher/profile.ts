import type { Profile } from "../../../src/skilled.ts";

/** @param searches a search engine is configured. @param divides it works on parts of a broad question side by side. */
export function profileOf(searches: boolean, divides: boolean): Profile {
  return {
    name: "researcher",
    title: "Researcher",
    description:
      "Reads web pages and documents (HTML, PDF, office files) and answers with numbered sources: title, address and day of reading. " +
      "It follows links of what it has read, within bounds. " +
      (divides ? "Give it a broad question as a whole: it works on the parts side by side. " : "") +
      (searches
        ? "Give it a question, and addresses where they are known."
        : "Give it a question and the addresses to read: it cannot search the web."),
    version: "1",
    skills: [
      {
        id: "research",
        name: "Research",
        description: "Reads pages on the web and says what they say, with sources.",
        tags: ["web", "research", "reading"],
        examples: ["Research https://example.com/report.pdf: what are its main findings?"],
      },
    ],
    inputModes: ["text/plain"],
    outputModes: ["text/plain"],
  };
}
