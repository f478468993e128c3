import { describe, expect, it } from "vitest";
import type { Channel, Outgoing } from "../../src/channel.ts";
import { createDelivery, type DeliveryOptions } from "../../src/delivery.ts";
import { outboundEnvelope } from "../../src/envelope.ts";
import type { AgentId } from "../../src/ids.ts";
import type { Answer, OutboundEvent } from "../../src/message.ts";
import type { Clock } from "../../src/ports.ts";
import { direct, quiet } from "./client-agent.fixture.ts";

/** Time that passes when it is told to. */
function handClock(): Clock & { pass(ms: number): Promise<void> } {
  let now = 0;
  const tasks = new Set<{ at: number; task: () => void }>();
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    now: () => now,
    monotonic: () => now,
    after(ms, task) {
      const timer = { at: now + ms, task };
      tasks.add(timer);
      return () => tasks.delete(timer);
    },
    async pass(ms) {
      await settle();
      now += ms;
      for (const timer of [...tasks].filter(({ at }) => at <= now)) {
        tasks.delete(timer);
        timer.task();
      }
      await settle();
    },
  };
}

interface Tried {
  readonly calledOff: boolean;
  /** What it was told: an earlier one may have reached the platform. */
  readonly again: boolean;
}

/** A platform that never answers: which sends were called off. A channel that is `deaf` does not heed its signal. */
async function hanging(answer: Answer, ms: number, deaf = false): Promise<Tried[]> {
  const sends: { readonly signal: AbortSignal; readonly again: boolean }[] = [];
  const channel: Partial<Channel> = {
    traits: {
      order: "arrival",
      text: { max: 100 },
      caption: { max: 0 },
      media: { file: 1_000 },
      location: false,
      replies: false,
      receipts: false,
    },
    dialect: { render: (markdown) => markdown, escape: (plain) => plain, measure: (rendered) => rendered.length },
    send: (_part: Outgoing, { signal, again }) =>
      new Promise((_resolve, reject) => {
        sends.push({ signal, again });
        if (!deaf) signal.addEventListener("abort", () => reject(signal.reason as Error));
      }),
  };
  const clock = handClock();
  const options: DeliveryOptions = {
    runtime: {
      bus: { isolated: true },
      records: { get: async () => undefined, put: async () => "1", remove: async () => {} },
      actors: { exclusive: true },
    } as unknown as DeliveryOptions["runtime"],
    clock,
    log: quiet,
    instance: "here",
    channelOf: () => channel as Channel,
    notice: (key) => key,
    sent: { keep: async () => undefined, named: async () => undefined },
  };
  const entry: OutboundEvent = {
    v: 1,
    agent: "person:1" as AgentId,
    to: direct,
    seq: 1,
    answers: [],
    answer,
    at: 0,
  };
  const handled = createDelivery(options).handle(outboundEnvelope(entry));
  for (let passed = 0; passed < ms; passed += 1_000) await clock.pass(1_000);
  await handled;
  return sends.map(({ signal, again }) => ({ calledOff: signal.aborted, again }));
}

describe("a send that gets no answer", () => {
  const text = { kind: "text", text: "hello", format: "plain" } as const;
  const file = { kind: "file", source: { from: "blob", id: "b" }, type: "text/plain", size: 900 } as const;
  const first = (calledOff: boolean) => ({ calledOff, again: false });
  const second = { calledOff: false, again: true };

  it("is called off after a minute and made again", async () => {
    expect(await hanging({ parts: [text] }, 62_000)).toEqual([first(true), second]);
  });

  it("has ten minutes where it may be an upload over a slow line", async () => {
    expect(await hanging({ parts: [file] }, 590_000)).toEqual([first(false)]);
    expect(await hanging({ parts: [file] }, 602_000)).toEqual([first(true), second]);
  });

  it("is left behind where the channel does not heed its signal, and made again as one that may have arrived", async () => {
    expect(await hanging({ parts: [text] }, 62_000, true)).toEqual([first(true), second]);
  });
});
