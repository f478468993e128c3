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
import { createLoopGuard, createOnce, createRates, loop } from "./rates.ts";
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
  /** At once where nothing has to be looked up. */
  judge(event: InboundEvent): Verdict | Promise<Verdict>;
  /** Whether the sender may write there. It counts nothing, and gives no code. */
  hears(sender: Sender): Promise<boolean>;
}

export interface AccessOptions {
  readonly policyOf: (to: AccountRef) => Policy;
  readonly pairing: Pairing;
  readonly clock: Clock;
  readonly log: Log;
}

const letIn: Verdict = {};
/** Whoever writes too much is told so once in it. */
const toldMs = 60_000;

export function createAccess({ policyOf, pairing, clock, log }: AccessOptions): Access {
  const rates = createRates(clock);
  const loops = createLoopGuard(clock);
  const isNews = createOnce(clock, toldMs);
  const isFull = createOnce(clock, toldMs);

  /** A known sender's. */
  function judgeContent(event: InboundEvent, policy: Policy): Verdict {
    if (policy.bots && event.participant.bot !== true && event.kind === "message")
      loops.person(event.address.conversation);
    const rule = contentRule(event, policy);
    if (rule !== undefined) return { rule };
    if (!isTalk(event)) return letIn;
    if (event.participant.bot === true && isLoop(event)) return { rule: "bots in a loop" };
    return judgeRate(event, policy);
  }

  function isLoop({ address: { channel, account, conversation } }: InboundEvent): boolean {
    const row = loops.bot(conversation);
    if (row === loop.most + 1)
      log.warn({ channel, account, conversation }, "bots answer each other: set aside from now");
    return row > loop.most;
  }

  function judgeRate({ address, participant }: InboundEvent, { perMinute }: Policy): Verdict {
    const { person: ofPerson, account: ofAccount, tenant: ofTenant } = perMinute;
    if (ofPerson === Infinity && ofAccount === Infinity && ofTenant === Infinity) return letIn;
    const account = JSON.stringify([address.tenant, address.channel, address.account]);
    const person = `${account}${participant.user}`;
    const taken: string[] = [];
    const undo = () => {
      for (const key of taken) rates.giveBack(key);
    };
    const take = (key: string, most: number): number => {
      const ms = rates.take(key, most);
      if (ms === 0) taken.push(key);
      return ms;
    };
    const retryAfterMs =
      take(person, ofPerson) || take(account, ofAccount) || take(`tenant ${address.tenant}`, ofTenant);
    if (retryAfterMs === 0) return { undo };
    // What one of them has no room for does not count against the others.
    undo();
    const says = { key: "tooMany", values: { seconds: String(Math.ceil(retryAfterMs / 1_000)) } } as const;
    return { rule: "too many messages", retryAfterMs, says, ...(isNews(person) ? { news: true } : {}) };
  }

  async function judgeStranger(event: InboundEvent, policy: Policy): Promise<Verdict> {
    const { address, participant, kind } = event;
    const standing = await pairing.standing(address, participant.user);
    if (standing === "approved") return judgeContent(event, policy);
    if (standing === "denied") return { rule: "pairing denied" };
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
    judge(event) {
      const policy = policyOf(event.address);
      const rule = senderRule(event, policy);
      if (rule === undefined) return judgeContent(event, policy);
      return rule === "not paired" ? judgeStranger(event, policy) : { rule };
    },
  };
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
