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

/** Over a channel that sends so, and a store that has nothing. */
function optionsOf(clock: Clock, send: Channel["send"]): DeliveryOptions {
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
    send,
  };
  return {
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
}

function entryOf(answer: Answer, seq = 1): OutboundEvent {
  return { v: 1, agent: "person:1" as AgentId, to: direct, seq, answers: [], answer, at: 0 };
}

/** A platform that never answers: which sends were called off. A channel that is `deaf` does not heed its signal. */
async function hanging(answer: Answer, ms: number, deaf = false): Promise<Tried[]> {
  const sends: { readonly signal: AbortSignal; readonly again: boolean }[] = [];
  const clock = handClock();
  const options = optionsOf(
    clock,
    (_part: Outgoing, { signal, again }) =>
      new Promise((_resolve, reject) => {
        sends.push({ signal, again });
        if (!deaf) signal.addEventListener("abort", () => reject(signal.reason as Error));
      }),
  );
  const handled = createDelivery(options).handle(outboundEnvelope(entryOf(answer)));
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

describe("what follows a sending", () => {
  const words = (text: string): Answer => ({ parts: [{ kind: "text", text, format: "plain" }] });

  /** Those who are told take as long as the test does. */
  function open() {
    const steps: string[] = [];
    const gate = Promise.withResolvers<void>();
    const clock = handClock();
    const options = optionsOf(clock, async ({ kind }, { key }) => {
      steps.push(`${kind} ${key.at(-3)}`);
      return { id: key };
    });
    let record: { value: unknown; etag: string } | undefined;
    const records = {
      get: async () => record,
      async put(_key: string, value: unknown) {
        record = { value, etag: String(steps.push(`record ${(value as { seq: number }).seq}`)) };
        return record.etag;
      },
    };
    const delivery = createDelivery({
      ...options,
      runtime: { ...options.runtime, records } as unknown as DeliveryOptions["runtime"],
      feedback: {
        keep: async () => undefined,
        async named(_channel, { seq }) {
          steps.push(`named ${seq}`);
          await gate.promise;
        },
      },
      async tellAnswered([entry]) {
        steps.push(`told ${entry?.seq}`);
        await gate.promise;
      },
    });
    return { steps, gate, clock, delivery };
  }

  it("is begun behind its record, and the next answer does not wait for it", async () => {
    const { steps, delivery } = open();
    await delivery.handle(outboundEnvelope(entryOf(words("one"), 1)));
    await delivery.handle(outboundEnvelope(entryOf(words("two"), 2)));
    const one = ["text 1", "record 1", "named 1", "told 1"];
    expect(steps).toEqual([...one, ...one.map((step) => step.replace("1", "2"))]);
  });

  it("is waited for by a gateway that stops", async () => {
    const { gate, clock, delivery } = open();
    await delivery.handle(outboundEnvelope(entryOf(words("one"))));
    let drained = false;
    const ended = delivery.drain(60_000).then(() => (drained = true));
    for (let n = 0; n < 5; n++) await clock.pass(20);
    expect(drained).toBe(false);
    gate.resolve();
    await clock.pass(20);
    await ended;
  });
});
