/**
 * Who may talk: the one place where a message is let in or set aside, before anything of it is on the bus.
 *
 * Where access is open nothing is looked up; people who pair are looked up in the records, and remembered for seconds.
 */
import { messageId, type AccountRef } from "./ids.ts";
import type { InboundEvent, InboundNotice, NoticeKey, NoticeValues } from "./message.ts";
import { noticeText } from "./notices.ts";
import type { Pairing } from "./pairing.ts";
import { contentRule, isTalk, senderRule, type Policy, type Rule, type Sender } from "./policy.ts";
import { createLoopGuard, createOnce, createRates, loop, type LoopGuard, type Rates } from "./rates.ts";
import type { Clock, Log } from "./ports.ts";

export interface Verdict {
  /** Why it does not come in; undefined: it does. */
  readonly rule?: Rule;
  readonly retryAfterMs?: number;
  /** What its sender is to be told, in the gateway's own words; "refused" unless given. */
  readonly says?: { readonly key: NoticeKey; readonly values?: NoticeValues };
  /** The sender has not been told so yet. */
  readonly news?: true;
  /** Nothing came of it: its sender will try again. */
  readonly undo?: () => void;
}

export interface Access {
  /**
   * At once where nothing has to be looked up.
   * @param arrives its platform is told that it arrived, also where it is kept out: then it stays out when it comes again.
   */
  judge(event: InboundEvent, arrives: boolean): Verdict | Promise<Verdict>;
  /** Whether the sender may write there. It counts nothing, and gives no code. */
  hears(sender: Sender): Promise<boolean>;
}

export interface AccessOptions {
  readonly policyOf: (to: AccountRef) => Policy;
  readonly pairing: Pairing;
  readonly clock: Clock;
  readonly log: Log;
  /** Of all replicas; of this process alone unless given. */
  readonly counts?: { readonly rates: Rates; readonly loops: LoopGuard } | undefined;
}

const letIn: Verdict = {};
/** Whoever writes too much is told so once in it. */
const toldMs = 60_000;

export function createAccess({ policyOf, pairing, clock, log, counts }: AccessOptions): Access {
  const { rates, loops } = counts ?? { rates: createRates(clock), loops: createLoopGuard(clock) };
  const isNews = createOnce(clock, toldMs);
  const isFull = createOnce(clock, toldMs);

  /** A known sender's. */
  function judgeContent(event: InboundEvent, policy: Policy): Verdict | Promise<Verdict> {
    if (policy.bots && event.participant.bot !== true && event.kind === "message")
      loops.person(event.address.conversation);
    const rule = contentRule(event, policy);
    if (rule !== undefined) return { rule };
    if (!isTalk(event)) return letIn;
    if (event.participant.bot !== true) return judgeRate(event, policy);
    const { channel, account, conversation } = event.address;
    return after(loops.bot(conversation), (row) => {
      if (row === loop.most + 1)
        log.warn({ channel, account, conversation }, "bots answer each other: set aside from now");
      return row > loop.most ? { rule: "bots in a loop" } : judgeRate(event, policy);
    });
  }

  function judgeRate(event: InboundEvent, { perMinute }: Policy): Verdict | Promise<Verdict> {
    const { tenant, channel, account: name } = event.address;
    const account = JSON.stringify([tenant, channel, name]);
    const person = `${account}${event.participant.user}`;
    const limits = [
      { key: person, most: perMinute.person },
      { key: account, most: perMinute.account },
      { key: `tenant ${tenant}`, most: perMinute.tenant },
    ].filter(({ most }) => most !== Infinity);
    if (limits.length === 0) return letIn;
    const taken: string[] = [];
    const undo = () => {
      for (const key of taken) rates.giveBack(key);
    };
    /** From this one and those behind it. */
    const take = (at: number): number | Promise<number> => {
      const limit = limits[at];
      if (limit === undefined) return 0;
      return after(rates.take(limit.key, limit.most), (ms) => {
        if (ms > 0) return ms;
        taken.push(limit.key);
        return take(at + 1);
      });
    };
    return after(take(0), (retryAfterMs): Verdict => {
      if (retryAfterMs === 0) return { undo };
      // What one of them has no room for does not count against the others.
      undo();
      return tooMany(person, retryAfterMs);
    });
  }

  function tooMany(person: string, retryAfterMs: number): Verdict {
    const says = { key: "tooMany", values: { seconds: String(Math.ceil(retryAfterMs / 1_000)) } } as const;
    return { rule: "too many messages", retryAfterMs, says, ...(isNews(person) ? { news: true } : {}) };
  }

  async function judgeStranger(event: InboundEvent, policy: Policy, arrives: boolean): Promise<Verdict> {
    const { address, participant } = event;
    const standing = await pairing.standing(address, participant.user);
    if (standing !== "approved") {
      if (arrives) await pairing.leaveOut(event);
      return standing === "denied" ? { rule: "pairing denied" } : giveCode(event);
    }
    return arrives && (await pairing.wasLeftOut(event)) ? { rule: "not paired" } : judgeContent(event, policy);
  }

  async function giveCode(event: InboundEvent): Promise<Verdict> {
    const { address, participant, kind } = event;
    if (kind !== "message" || participant.bot === true) return { rule: "not paired" };
    const asked = await pairing.ask(event);
    if (asked !== undefined) {
      const says = { key: "unpaired", values: { code: shownCode(asked.code) } } as const;
      return { rule: "not paired", says, ...(asked.first ? { news: true } : {}) };
    }
    const { channel, account } = address;
    if (isFull(`${channel}/${account}`))
      log.warn({ channel, account }, "too many people ask to be let in: no new codes");
    return { rule: "not paired" };
  }

  return {
    async hears(sender) {
      const { address, participant } = sender;
      const rule = senderRule(sender, policyOf(address));
      if (rule !== "not paired") return rule === undefined;
      return (await pairing.standing(address, participant.user)) === "approved";
    },
    judge(event, arrives) {
      const policy = policyOf(event.address);
      const rule = senderRule(event, policy);
      if (rule === undefined) return judgeContent(event, policy);
      return rule === "not paired" ? judgeStranger(event, policy, arrives) : { rule };
    },
  };
}

/** At once where the value is there. */
function after<Value, Result>(
  value: Value | Promise<Value>,
  next: (value: Value) => Result | Promise<Result>,
): Result | Promise<Result> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** As people read it out. */
export function shownCode(code: string): string {
  return `${code.slice(0, 4)}-${code.slice(4)}`;
}

/** The same for the same event: however often it comes, its sender is told once. */
export function noticeFor(
  event: Pick<InboundEvent, "id" | "address" | "participant" | "receivedAt" | "sequence">,
  { key, values }: NonNullable<Verdict["says"]>,
): InboundNotice {
  const { address, participant, receivedAt, sequence } = event;
  return {
    v: 1,
    kind: "notice",
    id: messageId(address, "notice", key, event.id),
    address,
    participant,
    receivedAt,
    ...(sequence === undefined ? {} : { sequence }),
    notice: key,
    ...(values === undefined ? {} : { values }),
  };
}

/** For who waits for an answer. */
export function wordsFor({ participant }: InboundEvent, { says }: Verdict): string {
  return noticeText(says?.key ?? "refused", participant.locale, says?.values);
}
