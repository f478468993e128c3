import type { Profile } from "../../../src/skilled.ts";

export const profile: Profile = {
  name: "knowledge",
  title: "Knowledge",
  description:
    "Answers questions from the operator's own documents, and from nothing else: each statement with the document, the section or page " +
    "and the words it rests on. It says so where the documents do not answer. Give it one question, in the person's words.",
  version: "1",
  skills: [
    {
      id: "answer",
      name: "Answer from documents",
      description: "Finds what the documents say about a question, with sources.",
      tags: ["documents", "search", "question answering"],
      examples: ["How many days of leave do we have?", "What do the documents say about returns?"],
    },
  ],
  inputModes: ["text/plain"],
  outputModes: ["text/plain"],
};
