/** What the checks of the channel contract share. */
import { setTimeout as sleep } from "node:timers/promises";
import { it } from "vitest";
import type { Channel, Outgoing, SendContext, Sent } from "../../src/channel.ts";
import { compose } from "../../src/format.ts";
import { conversationId, type AccountRef } from "../../src/ids.ts";
import type { Address, Answer, InboundEvent } from "../../src/message.ts";
import { probe, type Probe } from "./channel-deps.ts";
import type { ChannelContract, Platform, Running } from "./channel-platform.ts";

interface Use {
  readonly platform: Platform;
  readonly probe: Probe;
  readonly running: Running;
  readonly channel: Channel;
  /** A later process of the same account. */
  later(): Probe;
}
type Body = (use: Use) => Promise<void>;

/** How checks are named, excused and run for one channel. */
export interface Setup {
  readonly contract: ChannelContract;
  readonly main: AccountRef;
  /** Every check by its title. */
  readonly titles: Set<string>;
  /** A check; skipped where the channel's deviations name it. */
  check(title: string, body: () => void | Promise<void>): void;
  /** A check with the channel connected to a fresh platform. */
  connected(title: string, body: Body): void;
}

export function setUp(contract: ChannelContract): Setup {
  const main: AccountRef = { tenant: "acme", channel: contract.channel, account: "main" };
  const titles = new Set<string>();
  const check: Setup["check"] = (title, body) => {
    titles.add(title);
    const reason = contract.deviations[title];
    const run = reason === undefined ? it : it.skip;
    run(reason === undefined ? title : `${title} (deviation: ${reason})`, body);
  };
  return {
    contract,
    main,
    titles,
    check,
    connected(title, body) {
      check(title, async () => {
        const platform = await contract.make();
        try {
          const stores = contract.stores?.();
          const seen = probe(main, { stores });
          const running = await platform.start(seen.deps);
          try {
            await body({
              platform,
              probe: seen,
              running,
              channel: running.channel,
              later: () => probe(main, { stores }),
            });
          } finally {
            await running.stop();
          }
        } finally {
          await platform.close();
        }
      });
    },
  };
}

export function textIn(event: InboundEvent | undefined): string {
  const parts = event?.kind === "message" ? event.message.parts : [];
  return parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("\n");
}

export function composed(channel: Channel, answer: Answer): Outgoing[] {
  return compose(answer, channel, { notice: (key) => key, blobUrl: (id) => `https://gateway.example.org/blobs/${id}` });
}

export function directTo(platform: Platform, account: AccountRef): Address {
  return { ...account, conversation: conversationId(account, platform.chat), kind: "direct", chat: platform.chat };
}

let keys = 0;
export function send(
  channel: Channel,
  platform: Platform,
  part: Outgoing,
  context: Partial<SendContext> = {},
): Promise<Sent> {
  keys += 1;
  const to = directTo(platform, channel);
  const base = {
    to,
    key: `key-${keys}`,
    answers: [],
    notice: false,
    first: true,
    last: true,
    again: false,
    signal: AbortSignal.timeout(10_000),
  };
  return channel.send(part, { ...base, ...context });
}

export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  for (const end = performance.now() + timeoutMs; !(await condition()); await sleep(10)) {
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`);
  }
}
