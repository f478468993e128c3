/** I8, I2 and I1 where a tool asks the person: each question is put once, and what answers it has reached the call that waits. */
import { postId } from "../events.ts";
import { questionIn } from "../model-questions.ts";
import type { Evidence, Reply, Violation } from "./evidence.ts";

export function checkQuestions(evidence: Evidence, replies: readonly Reply[]): Violation[] {
  return [
    ...putOnce(evidence),
    ...heard(evidence, replies),
    ...toldOnce(evidence, replies),
    ...putInVain(evidence, replies),
  ];
}

/** A turn that goes on as another agent's asks anew. */
function putOnce({ posts, received }: Evidence): Violation[] {
  const parts = ["link", "unlink"];
  if (posts.some(({ action: { does } }) => does.kind === "command" && parts.includes(does.name))) return [];
  const put = Map.groupBy(received, ({ text }) => questionIn(text) ?? "");
  return [...put].flatMap(([name, sends]) => {
    const keys = new Set(sends.map(({ key }) => key));
    return name === "" || keys.size === 1 ? [] : [{ rule: "I8", text: `${name} was put ${keys.size} times` }];
  });
}

/** What an answer covers beside its messages has answered a question of its run, and is known there. */
function heard({ runs, posts }: Evidence, replies: readonly Reply[]): Violation[] {
  return replies.flatMap(({ name, replied, told }) => {
    const run = runs.find((one) => one.name === name);
    if (run === undefined || replied.length === 0) return [];
    const wordless = replied.filter((token) => !told.includes(token));
    const strange = wordless.filter((token) => {
      const post = posts.find(({ action }) => action.id === token);
      return post === undefined || !["reply", "press"].includes(post.action.does.kind);
    });
    const deaf = (token: string) => ({ rule: "I1", text: `${name} covers ${token}, which it was never told` });
    if (strange.length > 0) return strange.map(deaf);
    const answers = run.heard.filter(({ kind }) => kind !== "silent").length;
    return replied.slice(answers).map(deaf);
  });
}

/** What a call of a turn has heard is covered by that turn's answer: no turn of its own answers it again. */
function toldOnce({ posts }: Evidence, replies: readonly Reply[]): Violation[] {
  const given = new Set(posts.flatMap(({ action }) => (action.does.kind === "reply" ? [action.id] : [])));
  return replies.flatMap(({ name, told }) =>
    told.flatMap((token) => {
      const again = given.has(token) ? replies.find(({ tokens }) => tokens.includes(token)) : undefined;
      return again === undefined ? [] : [{ rule: "I2", text: `${token} is told in ${name} and in ${again.name}` }];
    }),
  );
}

/** Nothing is asked for a turn once the person has heard that it was stopped. */
function putInVain({ posts, journal, received }: Evidence, replies: readonly Reply[]): Violation[] {
  return received.flatMap(({ text, at, conversation }) => {
    const name = questionIn(text);
    const asker = posts.find(({ action }) => name !== undefined && action.id === `m${name.slice(1)}`);
    if (asker === undefined) return [];
    const stopped = journal.some(({ id, rule }) => id === postId(asker) && ["stopped", "reset"].includes(rule));
    const later = posts.filter((post) => post.conversation === asker.conversation && post.at > asker.at);
    const said = replies.filter(
      (reply) =>
        reply.conversation === conversation &&
        /^“(?:Stopped|Done)/.test(reply.name) &&
        later.some(({ action }) => reply.tokens.includes(action.id)),
    );
    const stopAt = Math.min(...said.flatMap(({ parts }) => parts.flatMap(({ sends }) => sends.map((send) => send.at))));
    const late = stopped && said.length === 1 && stopAt < at;
    return late ? [{ rule: "I8", text: `${name} was put after its turn was stopped` }] : [];
  });
}
