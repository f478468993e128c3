import { isRefusal, HttpError } from "./client.ts";
import { backoff } from "./backoff.ts";
import type { Attachment, Outgoing, Press } from "./wire.ts";

/** A file that goes with an unsent message. Its bytes are in the file store under `id` until `uploaded` is set. */
export type UnsentFile = {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly uploaded?: Attachment;
};

export type Unsent = {
  /** The client-made id that the gateway recognises a repetition by. */
  readonly id: string;
  readonly at: string;
  /** For a press: the button's label. */
  readonly text: string;
  readonly files: readonly UnsentFile[];
  readonly press?: Press;
  /**
   * waiting: not with the gateway yet, will be tried by itself; sending: a request runs; accepted: the gateway has it,
   * its event has not come yet; failed: refused, only the person can decide.
   */
  readonly state: "waiting" | "sending" | "accepted" | "failed";
  readonly attempts: number;
  readonly problem?: string;
};

/** localStorage, or what stands in for it. */
export type Store = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

export type FileStore = {
  readonly put: (id: string, file: Blob) => Promise<void>;
  readonly get: (id: string) => Promise<Blob | undefined>;
  readonly remove: (id: string) => Promise<void>;
};

type Options = {
  readonly store: Store;
  readonly files: FileStore;
  readonly send: (message: Outgoing) => Promise<void>;
  readonly upload: (file: Blob, name: string, type: string) => Promise<Attachment>;
  readonly onChange: (entries: readonly Unsent[]) => void;
};

export type Outbox = {
  /** Reads what an earlier page left behind, and begins to send. Call once. */
  readonly start: () => void;
  readonly add: (entry: Pick<Unsent, "id" | "at" | "text" | "files" | "press">, blobs: readonly Blob[]) => void;
  /** Tries again now: a failed entry by its id, or whatever waits. */
  readonly retry: (id?: string) => void;
  readonly discard: (id: string) => void;
  /** The gateway's events show these messages. */
  readonly confirm: (ids: ReadonlySet<string>) => void;
  readonly clear: () => void;
};

const prefix = "ascent.unsent.";

class MissingFile extends Error {}

/** One entry is one key, so that two tabs never overwrite each other's. */
const load = (store: Store): Unsent[] => {
  const entries: Unsent[] = [];
  for (let i = 0; i < store.length; i++) {
    const key = store.key(i);
    if (key === null || !key.startsWith(prefix)) continue;
    try {
      const entry = JSON.parse(store.getItem(key) ?? "") as Unsent;
      entries.push({ ...entry, state: entry.state === "failed" ? "failed" : "waiting", attempts: 0 });
    } catch {
      store.removeItem(key);
    }
  }
  return entries.sort((a, b) => a.at.localeCompare(b.at) || a.id.localeCompare(b.id));
};

const outgoing = (entry: Unsent): Outgoing => ({
  id: entry.id,
  ...(entry.text !== "" ? { text: entry.text } : {}),
  ...(entry.files.length > 0
    ? { attachments: entry.files.flatMap((f) => (f.uploaded ? [{ id: f.uploaded.id }] : [])) }
    : {}),
  ...(entry.press !== undefined ? { press: entry.press } : {}),
});

/** A typed /reset: the gateway shows no message for it, since all that stood there is gone. */
const leavesNoMessage = ({ text, files, press }: Unsent): boolean =>
  files.length === 0 && press === undefined && /^\/reset(\s|$)/i.test(text.trim());

/**
 * Messages on their way to the gateway. Each is stored before it is first sent and removed when the gateway has accepted
 * it; it is sent again under the same id until then, in order. Only a refusal stops the attempts.
 */
export const createOutbox = ({ store, files, send, upload, onChange }: Options): Outbox => {
  let entries: readonly Unsent[] = [];
  let running = false;
  let wake = (): void => undefined;

  const publish = (next: readonly Unsent[]): void => {
    entries = next;
    onChange(entries);
  };
  const persist = (entry: Unsent): void => {
    try {
      store.setItem(prefix + entry.id, JSON.stringify(entry));
    } catch {
      // The quota is used up: the entry still lives in this page, and is sent from here.
    }
  };
  const forget = (entry: Unsent): void => {
    store.removeItem(prefix + entry.id);
    for (const file of entry.files) void files.remove(file.id).catch(() => undefined);
  };
  const find = (id: string): Unsent | undefined => entries.find((entry) => entry.id === id);
  const change = (id: string, part: Partial<Unsent>): void => {
    publish(entries.map((entry) => (entry.id === id ? { ...entry, ...part } : entry)));
    const entry = find(id);
    if (entry !== undefined && entry.state !== "accepted") persist(entry);
  };

  const uploadFiles = async (id: string): Promise<void> => {
    for (const file of find(id)?.files ?? []) {
      if (file.uploaded !== undefined) continue;
      const blob = await files.get(file.id);
      if (blob === undefined) throw new MissingFile(`“${file.name}” is no longer available. Attach it again.`);
      const uploaded = await upload(blob, file.name, file.type);
      const now = find(id);
      if (now === undefined) return;
      change(id, { files: now.files.map((f) => (f.id === file.id ? { ...f, uploaded } : f)) });
    }
  };

  /** Milliseconds to wait before this entry is tried again; 0 when it is settled. */
  const attempt = async (entry: Unsent): Promise<number> => {
    change(entry.id, { state: "sending" });
    try {
      await uploadFiles(entry.id);
      const ready = find(entry.id);
      if (ready === undefined) return 0;
      await send(outgoing(ready));
      const sent = find(entry.id);
      if (sent === undefined) return 0;
      if (leavesNoMessage(sent)) publish(entries.filter((e) => e.id !== sent.id));
      else change(entry.id, { state: "accepted" });
      forget(sent);
      return 0;
    } catch (error) {
      if (find(entry.id) === undefined) return 0;
      if (isRefusal(error) || error instanceof MissingFile) {
        change(entry.id, { state: "failed", problem: error.message });
        return 0;
      }
      change(entry.id, { state: "waiting", attempts: entry.attempts + 1 });
      const asked = error instanceof HttpError ? error.retryAfter : undefined;
      return Math.max(asked ?? 0, backoff(entry.attempts));
    }
  };

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const flush = async (): Promise<void> => {
    if (running) return;
    running = true;
    for (;;) {
      const next = entries.find((entry) => entry.state === "waiting");
      if (next === undefined) break;
      const wait = await attempt(next);
      if (wait > 0) await pause(wait);
    }
    running = false;
  };

  return {
    start: () => {
      publish([...load(store).filter((entry) => find(entry.id) === undefined), ...entries]);
      void flush();
    },
    add: (part, blobs) => {
      const entry: Unsent = { ...part, state: "waiting", attempts: 0 };
      publish([...entries, entry]);
      if (entry.files.length === 0) persist(entry);
      const puts = entry.files.flatMap((file, i) => {
        const blob = blobs[i];
        return blob === undefined ? [] : [files.put(file.id, blob)];
      });
      void Promise.all(puts).then(() => {
        // The bytes first: an entry is never stored without its files.
        const now = find(entry.id);
        if (now !== undefined && now.state !== "accepted") persist(now);
        return flush();
      });
    },
    retry: (id) => {
      if (id !== undefined && find(id)?.state === "failed") change(id, { state: "waiting", attempts: 0 });
      wake();
      void flush();
    },
    discard: (id) => {
      const entry = find(id);
      if (entry === undefined) return;
      publish(entries.filter((e) => e.id !== id));
      forget(entry);
    },
    confirm: (ids) => {
      const seen = entries.filter((entry) => ids.has(entry.id));
      if (seen.length === 0) return;
      publish(entries.filter((entry) => !ids.has(entry.id)));
      seen.forEach(forget);
    },
    clear: () => {
      const all = entries;
      publish([]);
      all.forEach(forget);
    },
  };
};
