/** A plan from a seed: small worlds, so that every interleaving of a few things comes up often. */
import { topics } from "../../src/ports.ts";
import {
  operations,
  type Action,
  type ChannelPlan,
  type ConversationPlan,
  type Fault,
  type Flavour,
  type Mood,
  type Plan,
} from "./plan.ts";
import { askedOf, askFaultsOf } from "./generate-asks.ts";
import { questionedOf } from "./generate-questions.ts";
import { takenOf } from "./generate-takeovers.ts";
import { delegatedOf, workFaultsOf } from "./generate-work.ts";
import { streamsOf, type Random } from "./random.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

export function planOf(seed: number, flavour: Flavour): Plan {
  const streams = streamsOf(seed);
  const random = streams(`settings of ${flavour}`);
  const replicas = flavour === "embedded" ? 1 : random.int(2, 3);
  const channels = channelsOf(streams("channels"), streams("buttons"));
  const apart = conversationsOf(streams("conversations"), channels);
  const linked = linkedOf(streams("links"), channels, apart);
  const asked = askedOf(streams("approvals"), linked, channels);
  const delegated = delegatedOf(streams("delegations"), asked);
  const questioned = questionedOf(streams("questions"), delegated);
  const conversations = takenOf(streams("takeovers"), questioned);
  const calm = random.chance(0.12);
  return {
    seed,
    flavour,
    replicas,
    workers: random.int(2, 10),
    isolated: flavour === "embedded" || random.chance(0.7),
    processingMs: random.pick([30, 60]) * second,
    senders: random.chance(0.7) ? replicas : random.int(1, replicas),
    epoch: epochOf(random),
    settings: {
      whileRunning: random.chance(0.7) ? "queue" : "interrupt",
      turnTimeoutMs: random.pick([20, 60, 120, 300]) * second,
      historyItems: random.pick([4, 6, 20]),
      // Of a stream of its own: the others give what they gave before.
      places: streams(`places of ${flavour}`).chance(0.25) ? 2 : 2_000,
      inlineMs: streams(`waits of ${flavour}`).pick([1, 5, 20]) * second,
      ...silenceOf(streams("silence")),
    },
    channels,
    conversations,
    faults: calm
      ? []
      : [
          ...faultsOf(streams("faults"), { flavour, replicas, conversations }),
          ...askFaultsOf(streams("faults of approvals"), conversations),
          ...workFaultsOf(streams("faults of delegations"), conversations),
        ].toSorted((one, other) => one.at - other.at),
  };
}

/** How long operators may say nothing, where they may not for ever. */
function silenceOf(random: Random): Pick<Plan["settings"], "silentMs"> {
  return random.chance(0.3) ? { silentMs: random.pick([3, 10, 60]) * second } : {};
}

/** Often close to midnight: what is kept per day then changes its key in the middle of the run. */
function epochOf(random: Random): number {
  const midnight = Date.UTC(2026, 10, 1 + random.int(0, 27));
  return midnight + (random.chance(0.4) ? random.int(-2 * minute, minute) : random.int(0, day));
}

function channelsOf(random: Random, more: Random): ChannelPlan[] {
  return ["one", "two"].slice(0, random.int(1, 2)).map((name) => ({
    name,
    order: random.pick(["sequence", "time", "arrival"]),
    intake: random.pick(["webhook", "parallel", "polling"]),
    batch: random.pick([1, 10]),
    ...(random.chance(0.3) ? { idempotentMs: 10 * minute } : {}),
    lively: random.chance(0.3),
    buttons: more.chance(0.7),
  }));
}

function conversationsOf(random: Random, channels: readonly ChannelPlan[]): ConversationPlan[] {
  const ids = countUp("m");
  const conversations: ConversationPlan[] = [];
  for (let count = random.int(1, 4), at = 1; at <= count; at++) {
    const last = conversations.at(-1);
    if (last?.kind === "direct" && last.thread === undefined && random.chance(0.25)) {
      const actions = actionsOf(random, ids, [`u${at - 1}`]);
      conversations.push({ ...last, name: `c${at}`, thread: "t", actions });
      continue;
    }
    const kind = random.chance(0.7) ? "direct" : "group";
    const users = kind === "direct" ? [`u${at}`] : [`u${at}`, `u${at}a`, `u${at}b`];
    conversations.push({
      name: `c${at}`,
      channel: random.pick(channels).name,
      kind,
      chat: `chat${at}`,
      actions: actionsOf(random, ids, users),
    });
  }
  return conversations;
}

/** Sometimes one person has two direct conversations, and links them at some time; perhaps takes them apart again. */
function linkedOf(random: Random, channels: readonly ChannelPlan[], apart: ConversationPlan[]): ConversationPlan[] {
  if (!random.chance(0.4)) return apart;
  const ids = countUp(
    "m",
    apart.reduce((sum, { actions }) => sum + actions.length, 0),
  );
  const others = apart.slice(0, random.int(0, 1));
  if (random.chance(0.15)) return [...mutualOf(random, ids, channels), ...others];
  const asks = { kind: "command", name: "link" } as const;
  const parts = { kind: "command", name: "unlink" } as const;
  const joins = { kind: "join", of: "issuer" } as const;
  const again = random.chance(0.2);
  const by = random.pick(["issuer", "joiner"]);
  const ending = random.chance(0.45) ? [parts] : [];
  const lists = {
    issuer: [asks, ...(by === "issuer" ? ending : []), ...(again ? [asks] : [])],
    joiner: [joins, ...(by === "joiner" ? ending : []), ...(again ? [joins] : [])],
  };
  const conversationOf = (name: "issuer" | "joiner"): ConversationPlan => ({
    name,
    channel: random.pick(channels).name,
    kind: "direct",
    chat: `chat-${name}`,
    actions: lists[name]
      .flatMap((does) => [
        ...actionsOf(random, ids, [name]).slice(0, 4),
        { id: ids(), user: name, after: "previous", waitMs: random.int(0, 3 * second), does, copies: 1 } as const,
      ])
      .concat(actionsOf(random, ids, [name])),
  });
  return [conversationOf("issuer"), conversationOf("joiner"), ...others];
}

/** Both ask for a code and bring the other's: one of the two joins at most. */
function mutualOf(random: Random, ids: () => string, channels: readonly ChannelPlan[]): ConversationPlan[] {
  const names = ["mutual-a", "mutual-b"] as const;
  return names.map((name, at) => {
    const asks = { kind: "command", name: "link" } as const;
    const joins = { kind: "join", of: names[1 - at] ?? name } as const;
    const act = (does: Action["does"], waitMs: number): Action => {
      return { id: ids(), user: name, after: "previous", waitMs, does, copies: 1 };
    };
    const say = () => actionsOf(random, ids, [name]).slice(0, 3);
    const actions = [...say(), act(asks, 0), act(joins, random.int(0, 600)), ...say()];
    return { name, channel: random.pick(channels).name, kind: "direct", chat: `chat-${name}`, actions };
  });
}

function countUp(prefix: string, from = 0): () => string {
  let count = from;
  return () => `${prefix}${++count}`;
}

function actionsOf(random: Random, nextId: () => string, users: readonly string[]): Action[] {
  const said: string[] = [];
  let spoken = false;
  const count = random.chance(0.1) ? random.int(7, 14) : random.int(1, 5);
  return Array.from({ length: count }, () => {
    const id = nextId();
    // Words in one breath: what is said one after the other may overtake itself.
    const more = spoken && random.chance(0.6);
    const does: Action["does"] = more ? { kind: "request", form: "words" } : doingOf(random, said, users.length > 1);
    if (does.kind === "say") said.push(id);
    spoken = does.kind === "request" && does.form === "words";
    const [after, waitMs] = more ? (["previous", random.int(0, 60)] as const) : pacing(random);
    return {
      id,
      user: random.pick(users),
      after,
      waitMs,
      does,
      copies: random.chance(0.1) ? random.int(2, 10) : 1,
      ...(random.chance(0.08) ? { echoMs: random.pick([5 * second, minute, 3 * hour, day, 3 * day, 7 * day]) } : {}),
    };
  });
}

function pacing(random: Random): [Action["after"], number] {
  const draw = random.float();
  if (draw < 0.4) return ["previous", random.int(0, 400)];
  if (draw < 0.6) return ["previous", random.int(400, 12 * second)];
  if (draw < 0.65) return ["previous", random.int(20 * second, 60 * second)];
  return ["answer", random.int(0, 5 * second)];
}

function doingOf(random: Random, said: readonly string[], group: boolean): Action["does"] {
  const draw = random.float();
  if (draw < 0.16 && said.length > 0) {
    const kind = random.pick(["edit", "edit", "delete", "react"] as const);
    return { kind, of: random.chance(0.7) ? said.at(-1)! : random.pick(said) };
  }
  if (draw < 0.26) return { kind: "command", name: random.pick(["start", "help", "reset", "stop", "stop"]) };
  if (draw < 0.33) return { kind: "request", form: "words" };
  if (draw < 0.4) return { kind: "request", form: "note", mood: moodOf(random) };
  return {
    kind: "say",
    addressed: !group || random.chance(0.75),
    mood: moodOf(random),
    parts: random.chance(0.2) ? random.int(2, 3) : 1,
  };
}

function moodOf(random: Random): Mood {
  const draw = random.float();
  const ends = random.float();
  return {
    thinkMs:
      draw < 0.4
        ? random.int(0, 200)
        : draw < 0.7
          ? random.int(200, 6 * second)
          : draw < 0.9
            ? random.int(6 * second, 30 * second)
            : random.int(30 * second, 100 * second),
    ends: ends < 0.84 ? "answers" : ends < 0.88 ? "fails" : ends < 0.9 ? "breaks" : ends < 0.94 ? "hangs" : "stubborn",
    once: random.chance(0.6),
    lateMs: random.int(0, 40 * second),
  };
}

const sendFaults = ["limited", "limited", "unavailable", "ambiguous", "refused", "blocked", "garbage", "slow"] as const;

/** Between processes calls fail too. */
const outages = { embedded: ["bus", "store", "platform"], dapr: ["bus", "store", "calls", "platform"] } as const;

interface Setting {
  readonly flavour: Flavour;
  readonly replicas: number;
  readonly conversations: readonly ConversationPlan[];
}

function faultsOf(random: Random, setting: Setting): Fault[] {
  const horizon = random.pick([10, 40, 120]) * second;
  return Array.from({ length: random.int(1, 8) }, (): Fault => {
    const at = Math.round(horizon * random.float() ** 1.5);
    return { at, ...faultOf(random, setting) };
  });
}

type Timeless<Of> = Of extends Fault ? Omit<Of, "at"> : never;

function faultOf(random: Random, { flavour, replicas, conversations }: Setting): Timeless<Fault> {
  const slot = random.int(0, replicas - 1);
  const conversation = random.pick(conversations).name;
  const draw = random.float();
  if (draw < 0.36) return operationFault(random);
  if (draw < 0.46) return { kind: "crash", slot, downMs: random.pick([300, 3 * second, 60 * second]) };
  if (draw < 0.5) {
    return { kind: "stop", slot, graceMs: random.pick([1, 10, 25]) * second, downMs: random.int(200, 5 * second) };
  }
  if (draw < 0.54) return { kind: "jump", slot, byMs: random.pick([-10, 10]) * minute };
  if (draw < 0.62) return { kind: "evict", conversation, move: flavour === "dapr" && random.chance(0.7) };
  if (draw < 0.68) return { kind: "outage", of: random.pick(outages[flavour]), forMs: lengthOf(random) };
  if (draw < 0.86) {
    const how = random.pick(sendFaults);
    return { kind: "send", conversation, how, forMs: lengthOf(random) };
  }
  if (draw < 0.9) return { kind: "reminder", how: random.pick(["late", "twice"]), forMs: lengthOf(random) };
  if (flavour === "embedded") return operationFault(random);
  if (draw < 0.93) return { kind: "freeze", slot, forMs: lengthOf(random) };
  const how = random.pick(["twice", "unacknowledged", "late"] as const);
  return { kind: "delivery", topic: random.pick(topics), how, forMs: random.pick([20, 500, 3 * second, 30 * second]) };
}

function operationFault(random: Random): Timeless<Fault> {
  const how = random.pick(["refuse", "lose", "slow", "crash before", "crash after"] as const);
  return { kind: "operation", operation: random.pick(operations), how, forMs: lengthOf(random) };
}

function lengthOf(random: Random): number {
  return random.pick([300, 2 * second, 10 * second, 30 * second, 60 * second]);
}
