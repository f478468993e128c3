/** Bugs to plant: what the simulator must be able to see. Each patch's `find` occurs exactly once in its file. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Subject } from "./world.ts";

export interface Bug extends Patch {
  readonly name: string;
  /** It shows only where this is broken too. */
  readonly and?: Patch;
}

interface Patch {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export const bugs: readonly Bug[] = [
  {
    name: "claim before complete",
    file: "client-agent.ts",
    find: "stored = await withThread(context, stored, event.address.conversation);",
    replace: `stored = await withThread(context, stored, event.address.conversation);
      const claimed = reduce(stored, { ...moment(), type: "received", event }, options.traitsOf(event.address));
      const inbox = { ...stored.inbox, seen: claimed.state.inbox.seen };
      if (claimed.reply === "accepted") await write({ ...stored, inbox, seen: claimed.state.seen }, [], [claimed]);`,
  },
  {
    name: "no stale-turn check",
    file: "outcome.ts",
    find: "if (thread?.turn?.id !== event.turn || thread.turn.attempt !== event.attempt)",
    replace: "if (thread === undefined)",
  },
  {
    name: "outbox outside the state write",
    file: "client-agent.ts",
    find: "const done = await context.commit({\n      put,",
    replace: `const { outbox, ...others } = put;
    await context.commit({ put: others });
    const done = await context.commit({
      put: outbox === undefined ? {} : { outbox },`,
  },
  {
    name: "missing watchdog",
    file: "state.ts",
    find: "export function isBusy(state: AgentState): boolean {",
    replace: `export function isBusy(state: AgentState): boolean {
  if (state.inbox.v === 1) return false;`,
  },
  {
    name: "an answer counts as held before anybody has it",
    file: "outgoing.ts",
    find: "        owed.add(keyOf(entry));\n",
    replace: "",
  },
  {
    name: "acknowledgement before the write",
    file: "inbound.ts",
    find: 'await bus.publish("inbound", envelopes)',
    replace: 'bus.publish("inbound", envelopes).catch(() => undefined)',
  },
  {
    name: "a joiner forwards before the person's agent took over",
    file: "linking.ts",
    find: 'const reply = await call(to, "import", data)',
    replace: `await call(id, "joined", { link });
    const reply = await call(to, "import", data)`,
  },
  {
    name: "a link is imported again by another attempt",
    file: "merging.ts",
    find: 'if (joiners[from]?.link === link || isSeen(draft.state, link)) return "duplicate";',
    replace: "delete (joiners as Record<string, unknown>)[from];",
  },
  {
    name: "a joiner does not know again what it forwarded",
    file: "linking.ts",
    find: 'if (reply === "accepted" || reply === "duplicate") await tell({ type: "forwarded", event }, event.address);',
    replace: "",
    and: { file: "link-state.ts", find: "mostLatest = 16", replace: "mostLatest = 1" },
  },
  {
    name: "the person's agent counts its answers from the beginning",
    file: "draft.ts",
    find: "seq: Math.max(thread.seq, given.seq)",
    replace: "seq: thread.seq",
  },
  {
    name: "a request that is made again is another one",
    file: "proactive.ts",
    find: 'messageId(to, "requested", to.conversation, id)',
    replace: 'messageId(to, "requested", to.conversation, id, String(clock.monotonic()))',
  },
  {
    name: "words of the agent's own overtake each other",
    file: "conversation.ts",
    find: 'if (event.kind === "said" && mayBeOvertaking(draft, of)) return "early";',
    replace: "",
  },
  {
    name: "the agent forgets what it said of its own",
    file: "outcome.ts",
    find: 'add(draft, [{ role: "agent", text: describeAnswer(answer)',
    replace: 'if (turn === "") add(draft, [{ role: "agent", text: describeAnswer(answer)',
  },
  {
    name: "a word does not close what it decides",
    file: "outcome.ts",
    find: "for (const { ask } of decided) closeAsk(draft, conversation, ask);",
    replace: "",
  },
  {
    name: "a run goes on as another turn when it starts again",
    file: "scheduling.ts",
    find: "const again = { ...turn, ...began,",
    replace: "const again = { ...turn, id: turn.command === undefined ? turn.id : `${turn.id}a`, ...began,",
  },
  {
    name: "time runs out for a word that waits",
    file: "asks.ts",
    find: 'if (waiting.some((message) => isWordOn(id, message, thread))) return "busy";',
    replace: "",
  },
  {
    name: "anybody's press counts",
    file: "asks.ts",
    find: 'open.by === "person" && open.of.includes(of.participant.id)',
    replace: 'open.by === "person"',
  },
  {
    name: "what waits for a word outlives a /stop",
    file: "conversation.ts",
    find: "closeAsks(draft, conversation);",
    replace: "",
  },
  {
    name: "a note wakes the agent while an operator has the conversation",
    file: "scheduling.ts",
    find: `const head = isHeld ? thread?.pending.find(isServed) : thread?.pending[0];
  if (thread === undefined || head === undefined) return;
  // A person of the operator's has it, or is asked for.
  if (thread.held !== undefined && !isService(head)) return;`,
    replace: "const head = thread?.pending[0];\n  if (thread === undefined || head === undefined) return;",
  },
  {
    name: "a turn goes on when an operator takes its conversation",
    file: "takeover.ts",
    find: "if (command === undefined || decisionOf(command) !== undefined) end(draft, conversation);",
    replace: "",
  },
  {
    name: "the agent does not listen to what an operator hears",
    file: "scheduling.ts",
    find: "add(draft, [heardItem(message, `held.${digestOf(message.id)}` as TurnId)]);",
    replace: "",
  },
  {
    name: "what the agent is told is an operator's while one has the conversation",
    file: "scheduling.ts",
    find: ".filter(({ note }) => note === undefined);",
    replace: ";",
  },
  {
    name: "what the agent is told is lost while an operator has the conversation",
    file: "scheduling.ts",
    find: `const rest = pending.filter((message) => !ahead.includes(message));
    if (ahead.length > 0)`,
    replace: `const rest = pending.filter((message) => !ahead.includes(message) && message.note === undefined);
    if (rest.length < pending.length)`,
  },
  {
    name: "who has a conversation is relieved though they say something",
    file: "takeover.ts",
    find: 'if (held.until !== event.until) return "busy";',
    replace: "",
  },
  {
    name: "an operator's words are said again when they are asked for again",
    file: "takeover.ts",
    find: 'if (isSeen(draft.state, message)) return "duplicate";',
    replace: "",
  },
  {
    name: "a task's result is told by the call and by a note",
    file: "delegation-follow.ts",
    find: "if (isEnded(task)) return ended(row, task, of);",
    replace: "if (isEnded(task)) return asResult(await words.of(row, untold(row, task), task.said, closingOf(row)));",
  },
  {
    name: "a call that waits no longer leaves its task to nobody",
    file: "delegation-follow.ts",
    find: "return done ? { ...asNote(now), ...more } : undefined;",
    replace:
      'return done ? { ...now, ...more, end: { told: { text: "", parts: [], failed: true }, by: "note" } } : undefined;',
  },
  {
    name: "a note is told under an id of the moment",
    file: "delegation-work.ts",
    find: "`delegation ${digestOf(`${row.id} ${what}`)}`",
    replace: "`delegation ${digestOf(`${row.id} ${what} ${clock.monotonic()}`)}`",
  },
  {
    name: "a call that is made again is another task",
    file: "delegation-source.ts",
    find: "call: call.key,",
    replace: "call: `${call.key} ${clock.monotonic()}`,",
  },
  {
    name: "what a stopped turn waits for is told to those who are there only",
    file: "client-agent.ts",
    find: "if (turns.length > 0) apply(",
    replace:
      "for (const turn of turns) void options.stopped?.(turn).catch(() => undefined);\n    if (turns.length > 99) apply(",
  },
  {
    name: "a /stop leaves what its turn waits for at work",
    file: "delegation-follow.ts",
    find: 'return { ...now, end: { told, by: "nobody" }, canceling: { since: clock.now() } };',
    replace: 'return { ...now, end: { told, by: "nobody" } };',
  },
  {
    name: "a question is put by every attempt",
    file: "questions.ts",
    find: "if (same === undefined || same.over === true) put(draft, event);",
    replace: "put(draft, event);",
  },
  {
    name: "an answer counts though nobody waits for it any more",
    file: "outcome.ts",
    find: "heard === undefined || heard.includes(id) || attempt !== event.attempt;",
    replace: "true;",
  },
  {
    name: "what answers a question is asked of the next turn too",
    file: "outcome.ts",
    find: "event.messages.includes(id) || replies.has(id));",
    replace: "event.messages.includes(id));",
  },
];

/** No bug: so little room that what waits seldom fits the inbox, or fits at all. */
export const littleRoom: Bug = {
  name: "little room",
  file: "waiting.ts",
  find: "together: 32, inbox: 64, behind: 1_000",
  replace: "together: 2, inbox: 2, behind: 3",
};

/** No bug either: turns start so soon without a missing message that many come late. What is then out of order is no bug. */
export const littlePatience: Bug = {
  name: "little patience",
  file: "order.ts",
  find: "gapMs = 15_000",
  replace: "gapMs = 2_000",
};

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

export interface Mutant {
  readonly subject: Subject;
  remove(): void;
}

/** A copy of `src/` with the bug in it, loaded beside the original. */
export async function plant(bug: Bug): Promise<Mutant> {
  const patches: readonly Patch[] = bug.and === undefined ? [bug] : [bug, bug.and];
  const patched = patches.map(({ file, find, replace }) => {
    const text = readFileSync(join(root, "src", file), "utf8");
    const found = text.split(find).length - 1;
    if (found !== 1)
      throw new Error(`“${bug.name}” cannot be planted: its text is in src/${file} ${found} times, not once`);
    return { file, text: text.replace(find, () => replace) };
  });
  const folder = mkdtempSync(join(tmpdir(), "ascent-planted-"));
  cpSync(join(root, "src"), join(folder, "src"), { recursive: true });
  for (const { file, text } of patched) writeFileSync(join(folder, "src", file), text);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const load = (module: string) => import(/* @vite-ignore */ pathToFileURL(join(folder, "src", module)).href);
  const { createCore } = (await load("core.ts")) as Pick<Subject, "createCore">;
  const { createEffects } = (await load("effects.ts")) as Pick<Subject, "createEffects">;
  const { createDelegations } = (await load("delegation.ts")) as Pick<Subject, "createDelegations">;
  const { createTaskHost } = (await load("task-host.ts")) as Pick<Subject, "createTaskHost">;
  const { withLocalPush } = (await load("delegation-push.ts")) as Pick<Subject, "withLocalPush">;
  const errors = (await load("errors.ts")) as Subject["errors"];
  return {
    subject: { createCore, createEffects, createDelegations, createTaskHost, withLocalPush, errors },
    remove: () => rmSync(folder, { recursive: true }),
  };
}
