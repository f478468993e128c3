/**
 * The gateway's own commands that need more than a sentence: /person, /link, /unlink, /memory, /usage, /export and /forget, and presses
 * of buttons under what a mission asks. Each is served by a turn of its
 * own, off the agent's lock, in its place among the person's messages; a turn that dies is served again, so every step here
 * may come twice.
 */
import type { CallAgent, Holdings } from "./agent-calls.ts";
import type { TurnOutput } from "./agent.ts";
import type { Belongings } from "./belongings.ts";
import type { Budgets } from "./budget-meter.ts";
import { usageWords } from "./budget-words.ts";
import { payerOf } from "./budgets.ts";
import { personCommand } from "./commands.ts";
import { codeMs, createCodes, randomCode } from "./codes.ts";
import type { MemoryChange, Reply, TurnRef } from "./events.ts";
import { callerOf } from "./delegation-parts.ts";
import { readUnreadable } from "./envelope.ts";
import { digestOf, type AccountRef, type AgentId, type ParticipantId } from "./ids.ts";
import type { Serving } from "./link-events.ts";
import type { Address, Answer, InboundMessage, NoticeKey } from "./message.ts";
import type { Note } from "./notes.ts";
import type { Clock, DeadLetter, Runtime } from "./ports.ts";
import { missionPressOf, type MissionPress } from "./mission-buttons.ts";
import { thumbOf, type Rating } from "./rating.ts";
import { forgetMarks } from "./receipts.ts";
import { forgetSent } from "./sent.ts";
import type { TaskCaller } from "./skilled.ts";
import { blobsOf } from "./tenant-blobs.ts";

export interface ServiceOptions {
  readonly runtime: Pick<Runtime, "records" | "blobs" | "transcript" | "deadLetters">;
  readonly call: CallAgent;
  readonly clock: Clock;
  readonly belongings: Belongings;
  /** Ten letters or digits that nobody can guess. */
  readonly newCode?: (() => string) | undefined;
  /** What people use, where anybody has a budget. */
  readonly budgets?: Pick<Budgets, "standing" | "forget" | "currency"> | undefined;
  /** A person of the operator's can be asked to take over there. */
  readonly mayHandOver: (to: Address) => boolean;
  /** Where answers are rated: what people said of those there. */
  readonly ratingsOf?: ((conversations: readonly string[]) => Promise<readonly Rating[]>) | undefined;
  /** What others keep of these conversations, or do for them and for whoever asked there, ends with it. */
  readonly forget?: ((conversations: readonly string[], callers: readonly TaskCaller[]) => Promise<void>) | undefined;
  readonly missionPressed?: ((press: MissionPress, by: ParticipantId) => Promise<"accepted" | "over">) | undefined;
}

export interface Served {
  readonly agent: AgentId;
  readonly turn: TurnRef;
  readonly command: InboundMessage;
  readonly signal: AbortSignal;
}

/** The gateway's own words: nobody's answer, and not rated. */
type OwnWords = Answer & { readonly notice: NoticeKey };

/** @returns the answer, or that a person is asked for; undefined where the agent gave it already, or another agent does. */
export type Serve = (served: Served) => Promise<OwnWords | Required<Pick<TurnOutput, "handsOver">> | undefined>;

/** How often an agent that is busy in other conversations of the person is asked again, and how soon. */
const mostAsks = 60;
const askMs = 500;
const exportBytes = 64 * 1024 * 1024;

const say = (notice: NoticeKey, parts: Answer["parts"] = []): OwnWords => ({ parts, notice });

export function createServices(options: ServiceOptions): Serve {
  const { belongings, call, clock, runtime } = options;
  const { records } = runtime;
  const codes = createCodes(records, clock, options.newCode ?? randomCode);
  const wait = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));

  /** Until the agent is not busy any more. */
  async function ask(signal: AbortSignal, step: () => Promise<Reply>): Promise<Reply> {
    for (let asked = 1; ; asked++) {
      signal.throwIfAborted();
      const reply = await step();
      if (reply !== "busy" || asked === mostAsks) return reply;
      await wait(askMs);
    }
  }

  const serving = ({ turn, command }: Served): Serving => ({
    conversation: turn.conversation,
    turn: turn.turn,
    attempt: turn.attempt,
    command: command.id,
  });

  /** What the agent did not answer itself. */
  function answerTo(reply: Reply, refused: NoticeKey): OwnWords | undefined {
    if (reply === "busy") return say("busy");
    return reply === "refused" ? say(refused) : undefined;
  }

  async function link(served: Served, code: string): Promise<OwnWords | undefined> {
    const { agent, command, signal } = served;
    const { tenant, kind, conversation } = command.address;
    if (code === "") {
      if (kind !== "direct") return say("directOnly");
      const issued = await codes.issue(tenant, agent, conversation);
      return say("linkCode", [{ kind: "text", text: `/link ${issued}`, format: "plain" }]);
    }
    if (!(await codes.allow(agent, command.id))) return say("linkLimited");
    const found = kind === "direct" ? await codes.redeem(tenant, agent, code, command.id) : undefined;
    if (found === undefined) return say("linkUnknown");
    const data = { ...serving(served), link: `link:${command.id}`, to: found.agent, issued: found.conversation };
    const reply = await ask(signal, () => call(agent, "join", data));
    const { joiners } = reply === "refused" ? await call(agent, "holdings", {}) : { joiners: [] };
    return answerTo(reply, joiners.length > 0 ? "linkTaken" : "linkRefused");
  }

  async function unlink(served: Served): Promise<OwnWords | undefined> {
    const reply = await ask(served.signal, () => call(served.agent, "unlink", serving(served)));
    return answerTo(reply, "notLinked");
  }

  /** Also in a group: what is noted there was said before all of them. */
  async function memory(served: Served, args: string): Promise<OwnWords | undefined> {
    const change = changeOf(args);
    if (change === undefined) {
      const { notes, notesOff } = await call(served.agent, "holdings", {});
      if (args !== "" && args !== "list") return say("memoryHelp");
      if (notes.length === 0) return say(notesOff ? "memoryOff" : "memoryNone");
      return say(notesOff ? "memoryUnused" : "memoryList", [{ kind: "text", text: listOf(notes), format: "plain" }]);
    }
    await call(served.agent, "note", { ...serving(served), change });
    return undefined;
  }

  async function exported({ agent, command }: Served): Promise<OwnWords> {
    const holdings = await call(agent, "holdings", { past: true });
    const ratings = (await options.ratingsOf?.(holdings.conversations.map(({ to }) => to.conversation))) ?? [];
    const bytes = new TextEncoder().encode(JSON.stringify(fileOf(holdings, ratings, clock.now()), undefined, 2));
    const body = new Blob([bytes]).stream();
    const type = "application/json";
    const { conversation, tenant } = command.address;
    const about = { type, name: "ascent-export.json", maxBytes: exportBytes, owner: conversation };
    const blob = await blobsOf(runtime.blobs, tenant).put(body, about);
    const source = { from: "blob", id: blob.id } as const;
    return say("exported", [{ kind: "file", source, type, name: "ascent-export.json", size: blob.size }]);
  }

  async function usage({ agent, command }: Served): Promise<OwnWords> {
    const { budgets } = options;
    const standing = (await budgets?.standing("person", payerOf(agent, command.address))) ?? [];
    if (budgets === undefined || standing.length === 0) return say("usageNone");
    const text = usageWords(standing, budgets.currency, command.participant.locale);
    return say("usageList", [{ kind: "text", text, format: "markdown" }]);
  }

  async function forget(served: Served, args: string): Promise<OwnWords | undefined> {
    const { agent, command, signal } = served;
    const asked = `forget:${digestOf(agent)}`;
    if (args !== "yes" || (await records.get(asked)) === undefined) {
      await records.put(asked, { v: 1 }, { ttlMs: codeMs });
      return say("forgetAsk");
    }
    const reply = await ask(signal, async () => {
      const holdings = await call(agent, "holdings", {});
      const { media, answers } = holdings;
      const all = [{ who: agent, holdings }];
      // What joined it keeps conversations of its own that were put away.
      for (const joiner of holdings.joiners) all.push({ who: joiner, holdings: await call(joiner, "holdings", {}) });
      // First, so that nothing new comes of what runs.
      const conversations = all.flatMap((one) => one.holdings.conversations.map(({ to }) => to.conversation));
      const callers = all.map(({ who }) => callerOf(command.address.tenant, who));
      await options.forget?.([...new Set(conversations)], callers);
      for (const one of all) await eraseAround(one.who, one.holdings, command);
      await options.budgets?.forget(
        all.flatMap(({ who, holdings: { conversations: own } }) => own.map(({ to }) => payerOf(who, to))),
      );
      return call(agent, "forget", { ...serving(served), media: media.length, answers });
    });
    if (reply === "accepted") await records.remove(asked);
    return answerTo(reply, "busy");
  }

  /** What is kept of the person outside the agent. The agent's own state goes last: it knows what there is. */
  async function eraseAround(agent: AgentId, holdings: Holdings, command: InboundMessage): Promise<void> {
    const own = holdings.conversations.map(({ to }) => to);
    for (const blob of holdings.media) await runtime.blobs.remove(blob);
    for (const { conversation } of own) {
      // Whoever waits for the answer to the command itself gets it.
      await belongings.erase(conversation, command.id);
      await runtime.transcript.clear(conversation);
      await forgetSent(records, conversation);
      await forgetMarks(records, conversation);
    }
    for (const letter of await runtime.deadLetters.list(mostLetters)) {
      if (isOf(letter, own)) await runtime.deadLetters.drop(letter.id);
    }
    await codes.revoke(agent);
    // For as long as the records are kept, unlike the journal's entry.
    await records.put(`forgotten:${digestOf(agent)}`, { v: 1, at: clock.now() });
  }

  /** A press counts once; who is served again after it has counted says the same. */
  async function pressed(press: MissionPress, { participant }: InboundMessage): Promise<OwnWords> {
    const reply = (await options.missionPressed?.(press, participant.id)) ?? "over";
    return say(reply === "accepted" ? "missionAnswered" : "missionOver");
  }

  return async (served) => {
    const press = missionPressOf(served.command);
    if (press !== undefined) return pressed(press, served.command);
    const { name = "", args = "" } = served.command.message.command ?? {};
    if (name === "link") return link(served, args.trim());
    if (name === "usage") return usage(served);
    if (name === "memory") return memory(served, args.trim().toLowerCase());
    if (name === personCommand)
      return options.mayHandOver(served.command.address) ? { handsOver: { reason: args.trim() } } : say("noPerson");
    if (served.command.address.kind !== "direct") return say("directOnly");
    if (name === "unlink") return unlink(served);
    return name === "export" ? exported(served) : forget(served, args.trim().toLowerCase());
  };
}

const mostLetters = 10_000;

/** A letter of one of these conversations, also where nobody could read what came but that its chat is named in it. */
function isOf({ event }: DeadLetter, own: readonly Address[]): boolean {
  const unreadable = readUnreadable(event);
  if (unreadable === undefined) return own.some(({ conversation }) => conversation === event.subject);
  const { account, raw } = unreadable;
  return own.some((to) => isSameAccount(to, account) && names(raw, to.chat));
}

function isSameAccount(a: AccountRef, b: AccountRef): boolean {
  return a.tenant === b.tenant && a.channel === b.channel && a.account === b.account;
}

/** Somewhere in it stands this id, as a text or a number. */
function names(raw: unknown, id: string): boolean {
  if (typeof raw === "object" && raw !== null) return Object.values(raw).some((value) => names(value, id));
  return (typeof raw === "string" || typeof raw === "number") && String(raw) === id;
}

function changeOf(args: string): MemoryChange | undefined {
  const n = /^(?:delete|remove|forget|löschen|borrar) #?(\d{1,9})\.?$/.exec(args)?.[1];
  if (n !== undefined) return { kind: "delete", n: Number(n) };
  return args === "clear" || args === "off" || args === "on" ? { kind: args } : undefined;
}

/** Under the numbers by which they are deleted. */
function listOf(notes: readonly Note[]): string {
  const line = ({ n, text, at, channel, by }: Note): string => {
    const where = [new Date(at).toISOString().slice(0, 10), channel, ...(by?.name === undefined ? [] : [by.name])];
    return `${n}. ${text} (${where.join(", ")})`;
  };
  return notes.map(line).join("\n");
}

function fileOf(
  { summary, items, past = [], notes, notesOff, conversations }: Holdings,
  ratings: readonly Rating[],
  at: number,
) {
  return {
    v: 1,
    exportedAt: new Date(at).toISOString(),
    channels: conversations.map(({ to: { channel, account, chat, thread }, linked }) => ({
      channel,
      account,
      chat,
      ...(thread === undefined ? {} : { thread }),
      linked,
    })),
    summary: summary ?? "",
    remembers: !notesOff,
    notes: notes.map(({ n, text, at: when, channel }) => ({ n, text, at: new Date(when).toISOString(), channel })),
    history: [...past, ...items].map(({ role, text, at: when, name }) => ({
      at: new Date(when).toISOString(),
      who: role,
      ...(name === undefined ? {} : { name }),
      text,
    })),
    ...(ratings.length > 0 && { ratings: ratings.flatMap(ratingsIn) }),
  };
}

function ratingsIn({ to: { channel, account, chat }, at, voices }: Rating) {
  return voices.map((voice) => ({
    at: new Date(voice.at).toISOString(),
    channel,
    account,
    chat,
    answerOf: new Date(at).toISOString(),
    thumb: thumbOf(voice) ?? "none",
    ...(voice.words === undefined ? {} : { words: voice.words }),
  }));
}
