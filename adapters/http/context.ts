import { AsyncLocalStorage } from "node:async_hooks";

const requests = new AsyncLocalStorage<string>();

/** The id of the HTTP request whose handling led here; undefined outside one. For the log. */
export function requestId(): string | undefined {
  return requests.getStore();
}

export function inRequest<T>(id: string, work: () => T): T {
  return requests.run(id, work);
}
