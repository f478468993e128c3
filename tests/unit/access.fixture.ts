/** The way in with records in memory, a clock that is set by hand, and a bus that keeps what it is given. */
import { createAccess } from "../../src/access.ts";
import type { Channel } from "../../src/channel.ts";
import { conversationId, messageId, participantId } from "../../src/ids.ts";
import { createInbound } from "../../src/inbound.ts";
import type { InboundEvent, InboundMessage, InboundNotice } from "../../src/message.ts";
import { createOperators } from "../../src/operators.ts";
import { createPairing } from "../../src/pairing.ts";
import { openPolicy, type Policy } from "../../src/policy.ts";
import type { Bus, Clock, CloudEvent, DeadLetters, SetAside } from "../../src/ports.ts";
import { probe } from "../contract/channel-deps.ts";

export const account = { tenant: "default", channel: "test", account: "main" };

export interface Time extends Clock {
  pass(ms: number): void;
}

export function createTime(): Time {
  let now = 1_795_430_000_000;
  let due: { readonly at: number; readonly task: () => void }[] = [];
  return {
    now: () => now,
    monotonic: () => now,
    after(ms, task) {
      const one = { at: now + ms, task };
      due.push(one);
      return () => void (due = due.filter((other) => other !== one));
    },
    pass(ms) {
      now += ms;
      const over = due.filter(({ at }) => at <= now);
      due = due.filter(({ at }) => at > now);
      for (const { task } of over) task();
    },
  };
}

export interface Said {
  readonly user?: string;
  readonly group?: string;
  readonly bot?: true;
  readonly locale?: string;
  readonly message?: Partial<InboundMessage["message"]>;
}

let count = 0;
export function says({ user = "ann", group, bot, locale, message }: Said = {}): InboundMessage {
  const chat = group ?? user;
  return {
    v: 1,
    kind: "message",
    id: messageId(account, chat, String(++count)),
    address: {
      ...account,
      conversation: conversationId(account, chat),
      kind: group === undefined ? "direct" : "group",
      chat,
    },
    participant: {
      id: participantId(account, user),
      user,
      ...(bot === undefined ? {} : { bot }),
      ...(locale === undefined ? {} : { locale }),
    },
    receivedAt: 0,
    message: { parts: [{ kind: "text", text: "hello", format: "plain" }], addressed: true, ...message },
  };
}

export interface Door {
  readonly inbound: ReturnType<typeof createInbound>;
  readonly operators: ReturnType<typeof createOperators>;
  readonly time: Time;
  readonly published: InboundEvent[];
  readonly envelopes: CloudEvent[];
  readonly aside: SetAside[];
  /** Thrown by the bus while set. */
  outage: Error | undefined;
  /** What is published waits for it. */
  held: Promise<void> | undefined;
  /** How often the records were asked. */
  reads: number;
  /** The rule by which this one is set aside now; undefined: it comes in. */
  ruleFor(event: InboundEvent): Promise<string | undefined>;
  notices(): InboundNotice[];
}

export interface DoorOptions {
  readonly time?: Time;
  /** Of another replica, or of an earlier life. */
  readonly records?: Map<string, unknown>;
  readonly refuses?: true;
  /** Of the bus; true unless given. */
  readonly ordered?: boolean;
}

export function openDoor(policy: Partial<Policy>, options: DoorOptions = {}): Door {
  const time = options.time ?? createTime();
  const { deps } = probe(account, options.records === undefined ? {} : { records: options.records });
  const own: Policy = { ...openPolicy, ...policy };
  let codes = 0;
  const records: typeof deps.records = {
    ...deps.records,
    get: (key) => ((door.reads += 1), deps.records.get(key)),
  };
  const pairing = createPairing({ records, clock: time, newCode: () => `CODE${String(1_000 + ++codes)}` });
  const policyOf = () => own;
  const channelOf = () => ({ traits: options.refuses ? { refuses: true } : {} }) as Channel;
  const bus: Bus = {
    ordered: options.ordered ?? true,
    isolated: true,
    subscribe: () => undefined,
    async publish(_topic, events) {
      await door.held;
      if (door.outage !== undefined) throw door.outage;
      door.envelopes.push(...events);
      door.published.push(...events.map(({ data }) => data as InboundEvent));
    },
  };
  const inbound = createInbound({
    bus,
    journal: { setAside: async (entries) => void door.aside.push(...entries), list: async () => [] },
    deadLetters: {} as DeadLetters,
    clock: time,
    ingress: "here",
    access: createAccess({ policyOf, pairing, clock: time, log: deps.log }),
    channelOf,
    receipts: deps.inbound,
  });
  const door: Door = {
    inbound,
    operators: createOperators({ pairing, inbound, clock: time, channelOf, policyOf }),
    time,
    published: [],
    envelopes: [],
    aside: [],
    outage: undefined,
    held: undefined,
    reads: 0,
    async ruleFor(event) {
      const before = door.aside.length;
      await inbound.accept([event]);
      return door.aside[before]?.rule;
    },
    notices: () => door.published.filter((event) => event.kind === "notice"),
  };
  return door;
}
