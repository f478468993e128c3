import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HttpError } from "../../../channels/web/page/client.ts";
import { follow, type Connection } from "../../../channels/web/page/events.ts";
import type { ServerEvent } from "../../../channels/web/page/wire.ts";

type From = { after: string; lastEventId: string | undefined };

const setup = (first: Response | Error) => {
  const asked: From[] = [];
  const events: ServerEvent[] = [];
  const connections: Connection[] = [];
  let gaps = 0;
  const next: (Response | Error)[] = [first];
  const stream = follow({
    after: "5",
    open: async (from, signal) => {
      asked.push({ ...from });
      const answer =
        next.shift() ??
        new Response(
          new ReadableStream({ start: (c) => signal.addEventListener("abort", () => c.error(signal.reason)) }),
        );
      if (answer instanceof Error) throw answer;
      return answer;
    },
    onEvent: (event) => void events.push(event),
    onConnection: (connection) => void connections.push(connection),
    onGap: () => void gaps++,
  });
  return { stream, asked, events, connections, next, gaps: () => gaps };
};
const status = (running: boolean, id?: string) =>
  `${id === undefined ? "" : `id: ${id}\n`}event: status\ndata: {"running":${running}}\n\n`;

describe("following the gateway's events", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("begins after the history and resumes after the last event that had an id", async () => {
    const { asked, events, connections, stream } = setup(new Response(status(true, "6") + status(false)));
    await vi.advanceTimersByTimeAsync(2000);
    expect(asked).toEqual([
      { after: "5", lastEventId: undefined },
      { after: "5", lastEventId: "6" },
    ]);
    expect(events).toHaveLength(2);
    expect(connections).toEqual(["connecting", "open", "lost", "open"]);
    stream.close();
  });

  it("waits for Retry-After, and not when told to reconnect", async () => {
    const { asked, stream } = setup(new HttpError(503, "busy", "", 30_000));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toHaveLength(1);
    stream.reconnect();
    await vi.advanceTimersByTimeAsync(10);
    expect(asked).toHaveLength(2);
    stream.close();
  });

  it("reconnects when a connection falls silent", async () => {
    const { asked, stream } = setup(new Response(status(true, "6")));
    await vi.advanceTimersByTimeAsync(2000);
    expect(asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(48_000);
    expect(asked.length).toBeGreaterThan(2);
    stream.close();
  });

  it("asks for the history again, once, when the gateway cannot resume", async () => {
    const { asked, gaps } = setup(new HttpError(410, "gone", "", undefined));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(gaps()).toBe(1);
    expect(asked).toHaveLength(1);
  });

  it("is silent once closed", async () => {
    const { asked, stream, connections } = setup(new Error("network"));
    await vi.advanceTimersByTimeAsync(1);
    stream.close();
    const before = connections.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(1);
    expect(connections).toHaveLength(before);
  });
});
