import type { FileStore, Store } from "./outbox.ts";

const open = (): Promise<IDBDatabase> =>
  new Promise((resolve, reject) => {
    const request = indexedDB.open("ascent", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("files");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB did not open."));
  });

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB failed."));
  });

/**
 * The bytes of unsent attachments, in IndexedDB so that they outlive a reload, and in memory where a browser forbids
 * that (a private window, a frame without storage).
 */
export const fileStore = (): FileStore => {
  const memory = new Map<string, Blob>();
  let database: Promise<IDBDatabase | undefined> | undefined;
  const files = async (mode: IDBTransactionMode): Promise<IDBObjectStore | undefined> => {
    database ??= open().catch(() => undefined);
    return (await database)?.transaction("files", mode).objectStore("files");
  };
  return {
    put: async (id, file) => {
      memory.set(id, file);
      try {
        const at = await files("readwrite");
        if (at !== undefined) await settled(at.put(file, id));
      } catch {
        // Kept in memory; a reload would lose it, and the outbox then says so.
      }
    },
    get: async (id) => {
      const held = memory.get(id);
      if (held !== undefined) return held;
      const at = await files("readonly");
      return at === undefined ? undefined : ((await settled(at.get(id))) as Blob | undefined);
    },
    remove: async (id) => {
      memory.delete(id);
      const at = await files("readwrite");
      if (at !== undefined) await settled(at.delete(id));
    },
  };
};

const memoryStore = (): Store => {
  const values = new Map<string, string>();
  return {
    get length() {
      return values.size;
    },
    key: (index) => [...values.keys()][index] ?? null,
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
  };
};

/** Reading `localStorage` alone throws where storage is forbidden. */
export const browserStore = (kind: "localStorage" | "sessionStorage"): Store => {
  try {
    const store = window[kind];
    store.setItem("ascent.probe", "1");
    store.removeItem("ascent.probe");
    return store;
  } catch {
    return memoryStore();
  }
};
