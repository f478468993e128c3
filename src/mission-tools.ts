/** Missions' tools, as models are told of them. */
import type { ToolSpec } from "./tools.ts";

const stepParameter = {
  type: "object",
  properties: {
    id: { type: "string", description: "its name, in a word" },
    do: { type: "string", enum: ["delegate", "ask", "wait"] },
    after: {
      type: "array",
      items: { type: "string" },
      description: "ids of steps that have to succeed first; what came of them goes along. Steps without begin at once",
    },
    agent: { type: "string", description: "delegate: which skilled agent" },
    task: { type: "string", description: "delegate: what to do, complete in itself" },
    question: { type: "string", description: "ask: what to ask the person" },
    options: { type: "array", items: { type: "string" }, description: "ask: what there is to choose from, 6 at most" },
    minutes: { type: "number", description: "ask: without an answer it fails after that long" },
    seconds: { type: "number", description: "wait: for that long" },
    until: { type: "string", description: "wait: until that time, ISO 8601 with offset" },
  },
  required: ["id", "do"],
};
const named = { type: "object", properties: { mission: { type: "string" } }, required: ["mission"] };

export const missionTools: readonly ToolSpec[] = [
  {
    name: "start",
    description:
      "Starts a mission: work of several steps that goes on by itself for minutes or days: it gives tasks to skilled agents, asks the person, " +
      "waits, and tells you once what came of all of it, by a note. Only for what one task cannot do.",
    parameters: {
      type: "object",
      properties: {
        title: { type: "string", description: "in a few words" },
        goal: { type: "string" },
        steps: { type: "array", items: stepParameter },
      },
      required: ["title", "goal", "steps"],
    },
    effect: "idempotent",
  },
  {
    name: "list",
    description: "The person's missions in this conversation, and how their steps stand. With a name: all of that one.",
    parameters: { type: "object", properties: named.properties },
    effect: "none",
  },
  {
    name: "pause",
    description: "Pauses a mission: no step begins until it is resumed. Tasks that are under way go on.",
    parameters: named,
    effect: "idempotent",
  },
  { name: "resume", description: "Lets a paused mission go on.", parameters: named, effect: "idempotent" },
  {
    name: "cancel",
    description: "Ends a mission and cancels the tasks that are under way for it, where the person wants that.",
    parameters: named,
    effect: "idempotent",
  },
  {
    name: "answer",
    description: "Gives the person's answer to what a mission asks them. Never an answer of your own.",
    parameters: {
      type: "object",
      properties: {
        ...named.properties,
        step: { type: "string", description: "the step that asks; it may be left out where one alone does" },
        answer: { type: "string" },
      },
      required: ["mission", "answer"],
    },
    effect: "idempotent",
  },
];
