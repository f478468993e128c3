import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HttpError } from "../../../channels/web/page/client.ts";
import { createOutbox, type FileStore, type Store, type Unsent } from "../../../channels/web/page/outbox.ts";
import type { Attachment, Outgoing } from "../../../channels/web/page/wire.ts";

const memory = (): Store & { readonly values: Map<string, string> } => {
  const values = new Map<string, string>();
  return {
    values,
    get length() {
      return values.size;
    },
    key: (index) => [...values.keys()][index] ?? null,
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
  };
};

const blobs = (): FileStore & { readonly held: Map<string, Blob> } => {
  const held = new Map<string, Blob>();
  return {
    held,
    put: async (id, file) => void held.set(id, file),
    get: async (id) => held.get(id),
    remove: async (id) => void held.delete(id),
  };
};

const entry = (id: string, part: Partial<Unsent> = {}) => ({
  id,
  at: `2026-11-23T10:00:00.${id}Z`,
  text: id,
  files: [],
  ...part,
});
const unreachable = () => new TypeError("Failed to fetch");
const status = (code: number, retryAfter?: number) => new HttpError(code, "code", `status ${code}`, retryAfter);

const setup = (store = memory(), files = blobs()) => {
  const sent: Outgoing[] = [];
  const answers: (Error | undefined)[] = [];
  const uploads: string[] = [];
  const seen: (readonly Unsent[])[] = [];
  const send = async (message: Outgoing): Promise<void> => {
    sent.push(message);
    const error = answers.shift();
    if (error !== undefined) throw error;
  };
  const upload = async (file: Blob, name: string): Promise<Attachment> => {
    uploads.push(name);
    return { id: `up-${name}`, name, type: file.type, size: file.size, url: `/api/attachments/${name}` };
  };
  const outbox = createOutbox({ store, files, send, upload, onChange: (entries) => void seen.push(entries) });
  const states = (): string[] => (seen.at(-1) ?? []).map((e) => `${e.id}:${e.state}`);
  return { outbox, sent, answers, uploads, store, files, states };
};
const settle = () => vi.advanceTimersByTimeAsync(0);

describe("the outbox", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("stores a message before it sends it, and removes it when the gateway has it", async () => {
    const { outbox, sent, store, states } = setup();
    outbox.add(entry("001"), []);
    expect([...store.values.keys()]).toEqual(["ascent.unsent.001"]);
    await settle();
    expect(sent).toEqual([{ id: "001", text: "001" }]);
    expect(store.values.size).toBe(0);
    expect(states()).toEqual(["001:accepted"]);
    outbox.confirm(new Set(["001"]));
    expect(states()).toEqual([]);
  });

  it("sends again under the same id until it is accepted, and the next message only then", async () => {
    const { outbox, sent, answers } = setup();
    answers.push(unreachable(), status(503), status(500));
    outbox.add(entry("001"), []);
    outbox.add(entry("002"), []);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent.map((m) => m.id)).toEqual(["001", "001", "001", "001", "002"]);
  });

  it("waits as long as Retry-After says", async () => {
    const { outbox, sent, answers } = setup();
    answers.push(status(429, 8000));
    outbox.add(entry("001"), []);
    await vi.advanceTimersByTimeAsync(7900);
    expect(sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(sent).toHaveLength(2);
  });

  it("tries at once when told to", async () => {
    const { outbox, sent, answers } = setup();
    answers.push(status(503, 60_000));
    outbox.add(entry("001"), []);
    await settle();
    outbox.retry();
    await settle();
    expect(sent).toHaveLength(2);
  });

  it("goes on to the next message when one is refused, and keeps the refused one, also through a reload", async () => {
    const { outbox, sent, answers, store, states } = setup();
    answers.push(status(413));
    outbox.add(entry("001"), []);
    outbox.add(entry("002"), []);
    await settle();
    expect(sent.map((m) => m.id)).toEqual(["001", "002"]);
    expect(states()).toEqual(["001:failed", "002:accepted"]);

    const again = setup(store);
    again.outbox.start();
    await settle();
    expect(again.states()).toEqual(["001:failed"]);
    expect(again.sent).toEqual([]);
    again.outbox.retry("001");
    await settle();
    expect(again.sent.map((m) => m.id)).toEqual(["001"]);
  });

  it("sends after a reload what an earlier page could not, in order and under the same ids", async () => {
    const first = setup();
    first.answers.push(...Array.from({ length: 50 }, unreachable));
    first.outbox.add(entry("002"), []);
    first.outbox.add(entry("003"), []);
    first.outbox.add(entry("001"), []);
    await settle();
    const second = setup(first.store);
    second.outbox.start();
    await settle();
    expect(second.sent.map((m) => m.id)).toEqual(["001", "002", "003"]);
    expect(first.store.values.size).toBe(0);
  });

  it("uploads files before the message, once, and sends what they became", async () => {
    const { outbox, sent, answers, uploads, files } = setup();
    answers.push(unreachable());
    const file = { id: "f1", name: "a.txt", type: "text/plain", size: 2 };
    outbox.add(entry("001", { text: "", files: [file] }), [new Blob(["hi"])]);
    await vi.advanceTimersByTimeAsync(5000);
    expect(uploads).toEqual(["a.txt"]);
    expect(sent).toEqual(Array.from({ length: 2 }, () => ({ id: "001", attachments: [{ id: "up-a.txt" }] })));
    expect(files.held.size).toBe(0);
  });

  it("says so when a file did not survive a reload, rather than sending the message without it", async () => {
    const first = setup();
    first.answers.push(...Array.from({ length: 50 }, unreachable));
    const file = { id: "f1", name: "a.txt", type: "text/plain", size: 2 };
    first.store.setItem(
      "ascent.unsent.001",
      JSON.stringify({ ...entry("001", { files: [file] }), state: "waiting", attempts: 0 }),
    );
    const second = setup(first.store);
    second.outbox.start();
    await settle();
    expect(second.states()).toEqual(["001:failed"]);
    expect(second.sent).toEqual([]);
  });

  it("forgets what is discarded or cleared, also while it is being sent", async () => {
    const { outbox, store, states } = setup();
    outbox.add(entry("001"), []);
    outbox.add(entry("002"), []);
    outbox.discard("001");
    outbox.clear();
    await settle();
    expect(states()).toEqual([]);
    expect(store.values.size).toBe(0);
  });

  it("survives rubbish in storage", async () => {
    const store = memory();
    store.setItem("ascent.unsent.x", "{");
    store.setItem("other", "1");
    const { outbox, states } = setup(store);
    outbox.start();
    await settle();
    expect(states()).toEqual([]);
    expect([...store.values.keys()]).toEqual(["other"]);
  });
});
