import { describe, expect, it } from "vitest";
import type { Channel, Outgoing, SendContext } from "../../src/channel.ts";
import { InfrastructureError, RetryableError, TerminalError } from "../../src/errors.ts";
import { throughHolder } from "../../src/holder.ts";
import { underLease } from "../../src/lease.ts";
import { probe } from "../contract/channel-deps.ts";
import { direct, quiet, testClock } from "./client-agent.fixture.ts";

const ref = { tenant: "t", channel: "telegram", account: "a" };
const text = (words: string): Outgoing => ({ kind: "text", text: words });
const clock = testClock();

/** Replicas on one store; what one asks of another goes by `wire`, which can fail as a network does. */
function stage() {
  const { records } = probe(ref).deps;
  const answers = new Map<string, (request: Request) => Promise<Response>>();
  const wire = { refused: false, loses: 0, asked: 0 };
  const sent: string[] = [];
  let gate: Promise<void> = Promise.resolve();
  let fails: Error | undefined;

  function replica(name: string) {
    const channel = {
      ...ref,
      traits: { bySocket: true },
      async send(part: Outgoing, { key }: SendContext) {
        await gate;
        if (fails !== undefined) throw fails;
        sent.push(`${name} ${key} ${part.kind === "text" ? part.text : part.kind}`);
        return { id: `id of ${key}` };
      },
      typing: async (_to: unknown, on: boolean) => void sent.push(`${name} typing ${on}`),
      async fetchMedia(file: string) {
        if (file === "gone") throw new TerminalError("it is gone");
        return { body: new Blob([`bytes of ${file}`]).stream(), type: "text/plain", size: 8 + file.length + 1 };
      },
      connect: async () => ({ closed: Promise.resolve() }),
    } as unknown as Channel;
    const address = `http://${name}`;
    const held = throughHolder(channel, {
      records,
      clock,
      instance: name,
      token: "shared",
      async fetch(url, request) {
        wire.asked += 1;
        expect(new Headers(request.headers).get("authorization")).toBe("Bearer shared");
        const answer = wire.refused ? undefined : answers.get(new URL(url).origin);
        if (answer === undefined) throw new TypeError("fetch failed", { cause: { code: "ECONNREFUSED" } });
        const response = await answer(new Request(url, request));
        if (wire.loses > 0) {
          wire.loses -= 1;
          throw new TypeError("fetch failed", { cause: { code: "UND_ERR_SOCKET" } });
        }
        return response;
      },
    });
    const end = new AbortController();
    let leased = Promise.resolve();
    return {
      channel: held.channel,
      answer: held.answer,
      /** Takes the lease as soon as it is free. */
      async hold() {
        answers.set(address, held.answer);
        const has = Promise.withResolvers<void>();
        const lease = { records, clock, log: quiet, instance: name, leaseMs: 200, address };
        leased = underLease("t:telegram:a", lease, end.signal, async (signal) => {
          await held.channel.connect?.(signal);
          has.resolve();
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        });
        await has.promise;
      },
      async leave() {
        end.abort();
        await leased;
      },
    };
  }
  return {
    replica,
    wire,
    sent,
    close: () => {
      const closed = Promise.withResolvers<void>();
      gate = closed.promise;
      return closed.resolve;
    },
    failWith: (error: Error | undefined) => (fails = error),
  };
}

const to = { ...direct };
function context(key: string, signal = AbortSignal.timeout(5_000)): SendContext {
  return { to, key, answers: ["m"], notice: false, first: true, last: true, again: false, signal };
}

describe("a channel that sends through its socket", () => {
  it("sends, shows typing and fetches media on the replica that holds it, whoever asks", async () => {
    const { replica, sent, wire } = stage();
    const [holder, other] = [replica("one"), replica("two")];
    await holder.hold();
    expect(await holder.channel.send(text("a"), context("k1"))).toEqual({ id: "id of k1" });
    expect(wire.asked).toBe(0);
    expect(await other.channel.send(text("b"), context("k2"))).toEqual({ id: "id of k2" });
    await other.channel.typing?.(to, true);
    const media = await other.channel.fetchMedia?.("x", AbortSignal.timeout(1_000));
    expect(media).toMatchObject({ type: "text/plain", size: 10 });
    expect(await new Response(media?.body ?? null).text()).toBe("bytes of x");
    await expect(other.channel.fetchMedia?.("gone", AbortSignal.timeout(1_000))).rejects.toBeInstanceOf(TerminalError);
    expect(sent).toEqual(["one k1 a", "one k2 b", "one typing true"]);
    await holder.leave();
  });

  it("waits without counting where nobody holds it, and goes on with the next holder", async () => {
    const { replica, sent, wire } = stage();
    const [one, two, three] = [replica("one"), replica("two"), replica("three")];
    await expect(three.channel.send(text("a"), context("k1"))).rejects.toBeInstanceOf(InfrastructureError);
    await one.hold();
    wire.refused = true;
    await expect(three.channel.send(text("a"), context("k1"))).rejects.toBeInstanceOf(InfrastructureError);
    wire.refused = false;
    await three.channel.send(text("a"), context("k1"));
    await one.leave();
    await expect(three.channel.send(text("b"), context("k2"))).rejects.toBeInstanceOf(InfrastructureError);
    await two.hold();
    await three.channel.send(text("b"), context("k2"));
    expect(sent).toEqual(["one k1 a", "two k2 b"]);
    // A former holder that is still asked does nothing.
    await expect(one.channel.send(text("c"), context("k3"))).resolves.toEqual({ id: "id of k3" });
    expect(sent.at(-1)).toBe("two k3 c");
    await two.leave();
  });

  it("makes a send once whose answer was lost, or whose asker died and was followed by another", async () => {
    const { replica, sent, wire, close } = stage();
    const [holder, other, third] = [replica("one"), replica("two"), replica("three")];
    await holder.hold();
    wire.loses = 1;
    const lost = other.channel.send(text("a"), context("k1"));
    await expect(lost).rejects.toBeInstanceOf(RetryableError);
    await expect(lost).rejects.not.toBeInstanceOf(InfrastructureError);
    expect(await other.channel.send(text("a"), { ...context("k1"), again: true })).toEqual({ id: "id of k1" });

    const open = close();
    const dying = new AbortController();
    const dead = other.channel.send(text("b"), context("k2", dying.signal));
    dead.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
    dying.abort(new Error("killed"));
    const followed = third.channel.send(text("b"), { ...context("k2"), again: true });
    const own = holder.channel.send(text("b"), { ...context("k2"), again: true });
    open();
    expect(await Promise.all([followed, own])).toEqual([{ id: "id of k2" }, { id: "id of k2" }]);
    expect(sent).toEqual(["one k1 a", "one k2 b"]);
    await holder.leave();
  });

  it("tells the asker how a send failed, and makes it again when it is asked again", async () => {
    const { replica, sent, failWith } = stage();
    const [holder, other] = [replica("one"), replica("two")];
    await holder.hold();
    failWith(new TerminalError("no such chat"));
    const refused = other.channel.send(text("a"), context("k1"));
    await expect(refused).rejects.toBeInstanceOf(TerminalError);
    await expect(refused).rejects.toThrow("no such chat");
    failWith(new InfrastructureError("not ready", { retryAfterMs: 3_000 }));
    await expect(other.channel.send(text("a"), context("k1"))).rejects.toMatchObject({ retryAfterMs: 3_000 });
    failWith(undefined);
    await other.channel.send(text("a"), context("k1"));
    expect(sent).toEqual(["one k1 a"]);
    await holder.leave();
  });

  it("answers no garbage, and nothing that is for another account", async () => {
    const { replica, sent } = stage();
    const holder = replica("one");
    await holder.hold();
    const { signal: _signal, ...rest } = context("k1");
    const good = { v: 1, operation: "send", part: text("a"), context: rest };
    const wrong = [
      "garbage",
      { ...good, v: 2 },
      { ...good, part: { kind: "hologram" } },
      { ...good, context: { ...rest, to: { ...to, account: "b" } } },
    ];
    for (const body of wrong) {
      const request = new Request("http://one/", { method: "POST", body: JSON.stringify(body) });
      expect((await holder.answer(request)).status).toBe(400);
    }
    expect(sent).toEqual([]);
    await holder.leave();
  });
});
