import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The secret that signs cookies: made once and kept beside the data, readable by its owner only. */
export function loadSecret(directory: string): string {
  const path = join(directory, "secret");
  if (!existsSync(path)) {
    writeFileSync(`${path}.new`, randomBytes(32).toString("base64url"), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  const secret = readFileSync(path, "utf8").trim();
  if (secret.length < 32)
    throw new Error(`${path} is damaged: delete it (everybody on the web page gets a new session)`);
  chmodSync(path, 0o600);
  return secret;
}
