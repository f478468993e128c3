/** Who is asking: a caller for each key. */
import { createKeyring, keyName, type Keyring } from "../../src/api-keys.ts";

/** By the caller's name in ids. */
export type Callers = Keyring<string>;

/** @param keys that `isKey` takes. */
export function createCallers(keys: readonly string[]): Callers {
  return createKeyring(keys.map((key) => [key, keyName(key)]));
}
