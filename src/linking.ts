/**
 * Links in an agent's actor: what `merging.ts` decides is carried to the other agent.
 *
 * No agent waits under its lock for one that may wait for it: a joiner that forwards waits for the person's agent, which never
 * waits for a joiner. Everything else between two agents is off the lock, and made again until the other side has it.
 */
import type { AgentTraits, HistoryItem } from "./agent.ts";
import type { Archive } from "./agent-rows.ts";
import type { AgentCalls, CallAgent, Holdings } from "./agent-calls.ts";
import { fateOf, InfrastructureError, reasonOf } from "./errors.ts";
import type { AgentEvent, Moment, Reply } from "./events.ts";
import type { AgentId, ConversationId, MessageId } from "./ids.ts";
import { later, type Later } from "./later.ts";
import type { Import } from "./link-events.ts";
import { placeOf, type Via } from "./link-state.ts";
import type { Address, InboundEvent } from "./message.ts";
import type { Log } from "./ports.ts";
import { isSeen } from "./seen.ts";
import { threadsOf, type AgentState, type QuietThread, type Thread } from "./state.ts";

/** The actor that this is a part of. */
export interface Self {
  readonly id: AgentId;
  readonly call: CallAgent;
  readonly log: Log;
  readonly moment: () => Moment & { readonly agent: AgentId };
  readonly state: () => AgentState;
  readonly step: (events: readonly AgentEvent[], traits: AgentTraits | undefined) => Promise<Reply>;
  readonly traitsOf: (to: Address) => AgentTraits;
  /** Loads what is needed to judge an event, or everything that waits in these conversations. */
  readonly load: (event: InboundEvent | undefined, conversations: readonly ConversationId[]) => Promise<void>;
  /** As the reply says, once somebody looks after what the agent owes: at once, another agent waits for it. */
  readonly watched: (reply: Reply) => Reply | Later;
  /** The outbox as delivery knows it. */
  readonly settled: () => Promise<AgentEvent>;
  readonly archive: () => Promise<Archive>;
  /** What was before the history. */
  readonly past: () => Promise<readonly HistoryItem[]>;
  /** With all of that. */
  readonly loadPast: () => Promise<void>;
  /** With all conversations that are put away. */
  readonly loadAway: () => Promise<void>;
}

type Method = "join" | "import" | "joined" | "declined" | "unlink" | "left" | "released" | "holdings" | "forget";
type Methods = {
  [Name in Method]: (data: Parameters<AgentCalls[Name]>[0]) => Promise<ReturnType<AgentCalls[Name]> | Later>;
};

export interface Linking {
  readonly methods: Methods;
  /** @throws InfrastructureError where the call must come again: whether another agent took over is not known yet. */
  admit(method: string): void;
  /** What came in by way of a joiner is taken only while that link holds. @throws InfrastructureError once it is over. */
  check(via: Via | undefined): void;
  /** The event is another agent's: it has it when this resolves, and this one will know the event again. */
  forward(event: InboundEvent, previous: readonly InboundEvent["id"][]): Promise<Reply>;
  /** A receipt, or an answer that is said again, goes to the agent that has the conversation now. */
  heir(): AgentId | undefined;
  /** What that agent is told of what comes by way of this one; `known`: of the messages that it is about, those seen here. */
  via(conversation: ConversationId, known: readonly MessageId[]): Via | undefined;
  /** Goes on with what is owed to other agents, off the lock. */
  tend(): void;
}

/** These change nothing that the other agent may have taken over. */
const harmless: readonly string[] = [
  "join",
  "import",
  "joined",
  "declined",
  "released",
  "take",
  "alive",
  "abandon",
  "watch",
  "replied",
];
const againMs = 1_000;

export function createLinking(self: Self): Linking {
  const { id, call, log, moment, state, step } = self;
  const giving = new Set<string>();
  let joining: Promise<"accepted" | "refused"> | undefined;

  const traits = () => {
    const to = Object.values<Thread>(state().inbox.threads)[0]?.to;
    return to === undefined ? undefined : self.traitsOf(to);
  };
  const tell = (event: Record<string, unknown> & { readonly type: AgentEvent["type"] }, to?: Address): Promise<Reply> =>
    step([{ ...moment(), ...event } as AgentEvent], to === undefined ? traits() : self.traitsOf(to));

  /** Everything that the person's agent needs: the same each time, since nothing happens here meanwhile. */
  async function importOf(): Promise<Import & { readonly to: AgentId }> {
    // Both begin within the call.
    const [archive, past] = await Promise.all([self.archive(), self.past()]);
    const { inbox, history } = state();
    const { forward } = inbox;
    const all = threadsOf(inbox).map(([, thread]) => thread);
    const pending = all.flatMap((thread) => thread.pending);
    const command = pending.find((message) => message.id === forward?.joining);
    if (forward === undefined || command === undefined)
      throw new InfrastructureError("nothing is joined here any more");
    const { summary, items, media = [], notes = [], notesOff } = history;
    return {
      to: forward.to,
      link: forward.link,
      from: id,
      ...(summary === undefined ? {} : { summary }),
      items,
      ...(past.length === 0 ? {} : { past }),
      ...(notes.length === 0 ? {} : { notes }),
      ...(notesOff === true ? { notesOff } : {}),
      media: [...archive.media, ...media],
      places: all.map(placeOf),
      messages: pending.filter((message) => message !== command),
      command,
      ...(forward.issued === undefined ? {} : { issued: forward.issued }),
    };
  }

  async function handOver(): Promise<"accepted" | "refused"> {
    const { to, ...data } = await importOf();
    const { link } = data;
    const reply = await call(to, "import", data).catch((error: unknown) => {
      if (fateOf(error).kind === "terminal") return "refused" as const;
      throw error;
    });
    if (reply === "unwatched") throw new InfrastructureError("the other agent has no watchdog yet");
    await call(id, reply === "refused" ? "declined" : "joined", { link });
    return reply === "refused" ? "refused" : "accepted";
  }

  /** One at a time in this process. */
  function join(): Promise<"accepted" | "refused"> {
    joining ??= handOver().finally(() => {
      joining = undefined;
    });
    return joining;
  }

  async function giveBack(link: string): Promise<void> {
    const leaving = state().inbox.leaving?.find((of) => of.link === link);
    if (leaving === undefined) return;
    const reply = await call(leaving.to, "left", leaving);
    if (reply === "unwatched") throw new InfrastructureError("the other agent has no watchdog yet");
    await call(id, "released", { link });
  }

  function tend(): void {
    const { forward, leaving = [] } = state().inbox;
    const failed = (error: unknown) =>
      log.warn({ agent: id, reason: reasonOf(error) }, "what another agent must have is given to it again");
    if (forward?.joining !== undefined && joining === undefined) join().catch(failed);
    for (const { link } of leaving) {
      if (giving.has(link)) continue;
      giving.add(link);
      void giveBack(link)
        .catch(failed)
        .finally(() => giving.delete(link));
    }
  }

  const methods: Methods = {
    async join(data) {
      const { to, link, issued, ...turn } = data;
      const reply = await tell({ type: "joining", ...turn, to, link, issued });
      return reply === "accepted" || reply === "duplicate" ? later(join()) : reply;
    },
    async import(data) {
      await self.load(data.command, []);
      if (data.past !== undefined) await self.loadPast();
      const reply = await tell({ type: "linked", ...data }, data.command.address);
      const has = state().inbox.joiners?.[data.from]?.link === data.link || isSeen(state(), data.link);
      return has ? self.watched(reply) : "refused";
    },
    async joined(data) {
      const reply = await step([await self.settled(), { ...moment(), type: "joined", ...data }], traits());
      return self.watched(reply);
    },
    declined: (data) => tell({ type: "declined", ...data }),
    async unlink(data) {
      return self.watched(await tell({ type: "unlinked", ...data }));
    },
    async left(data) {
      await self.load(undefined, []);
      if (data.forgotten === true) await self.loadAway();
      const to = data.places[0]?.to;
      const events: AgentEvent[] = [await self.settled(), { ...moment(), type: "left", ...data }];
      return self.watched(await step(events, to === undefined ? traits() : self.traitsOf(to)));
    },
    released: (data) => tell({ type: "released", ...data }),
    async holdings({ past }) {
      // What the outbox need not hold any more is not announced again either.
      await step([await self.settled()], traits());
      const all = holdingsOf(state(), await self.archive());
      return past === true ? { ...all, past: await self.past() } : all;
    },
    async forget({ media, answers, ...turn }) {
      const now = holdingsOf(state(), await self.archive());
      if (now.media.length !== media || now.answers !== answers) return "busy";
      await self.load(
        undefined,
        threadsOf(state().inbox).map(([conversation]) => conversation),
      );
      await self.loadAway();
      return self.watched(await tell({ type: "forgotten", ...turn }));
    },
  };

  function viaOf(conversation: ConversationId, known: readonly MessageId[]): Via | undefined {
    const { forward, threads } = state().inbox;
    if (forward === undefined) return undefined;
    const { seq = 0, choice, at } = threads[conversation] ?? state().quiet[conversation] ?? {};
    // Of one that was put away when it joined: the others took it along.
    const agents = { ...(choice && { choice }), ...(at !== undefined && { at }) };
    return { agent: id, link: forward.link, seq, known, ...agents };
  }

  return {
    methods,
    admit(method) {
      if (state().inbox.forward?.joining === undefined || harmless.includes(method)) return;
      tend();
      throw new InfrastructureError("another agent takes over here", { retryAfterMs: againMs });
    },
    check(via) {
      if (via === undefined || state().inbox.joiners?.[via.agent]?.link === via.link) return;
      // The joiner may not know it yet.
      tend();
      throw new InfrastructureError("this link is over", { retryAfterMs: againMs });
    },
    async forward(event, previous) {
      const { forward } = state().inbox;
      const known = targetsOf(event).filter((target) => isSeen(state(), target));
      const via = viaOf(event.address.conversation, known);
      if (forward === undefined || via === undefined || isSeen(state(), event.id)) return "duplicate";
      // What this one has seen, the other need not wait for.
      const [latest, ...earlier] = previous.filter((before) => !isSeen(state(), before));
      const reply = await call(forward.to, "receive", {
        event,
        ...(latest === undefined ? {} : { previous: latest, earlier }),
        via,
      });
      if (reply === "accepted" || reply === "duplicate") await tell({ type: "forwarded", event }, event.address);
      return reply;
    },
    heir: () => state().inbox.forward?.to,
    via: viaOf,
    tend,
  };
}

function targetsOf(event: InboundEvent) {
  if (event.kind === "deleted") return event.targets;
  return event.kind === "edited" || event.kind === "reacted" ? [event.target] : [];
}

/** What an agent keeps of a person, for that person. */
function holdingsOf({ inbox, history }: AgentState, archive: Archive): Holdings {
  const { summary, items, media = [], notes = [], notesOff = false } = history;
  const threads = threadsOf(inbox).map(([, thread]) => thread);
  const quiet = Object.values<QuietThread>(archive.quiet);
  return {
    ...(summary === undefined ? {} : { summary }),
    items,
    notes,
    notesOff,
    media: [...archive.media, ...media],
    conversations: [
      ...threads.map(({ to, via }) => ({ to, linked: via !== undefined })),
      ...quiet.map(({ to }) => ({ to, linked: false })),
    ],
    joiners: Object.keys(inbox.joiners ?? {}) as AgentId[],
    answers: [...threads, ...quiet].reduce((sum, { seq }) => sum + seq, 0),
  };
}
