/** What the real servers of the tests have in common: on 127.0.0.1, on free ports, with data in a folder that goes with them. */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log, Service } from "../../src/main/dapr/processes.ts";

export interface TestService extends Service {
  /** What the components' files read to reach it. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends it, whatever state it is in, and removes its data. */
  close(): Promise<void>;
}

export interface ServiceOptions {
  readonly log?: Log;
}

export const host = "127.0.0.1";
export const silent: Log = () => undefined;

/** A new folder below the system's temporary one. With `user`, who is not us, it is that user's. */
export async function newFolder(name: string, user?: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `ascent-${name}-`));
  if (user !== undefined) spawnSync("chown", [user, folder]);
  return folder;
}

/** @param with_ the folder that is removed, and other services that end with this one. */
export function testService(
  service: Service,
  env: Readonly<Record<string, string>>,
  { folder, others = [] }: { readonly folder: string; readonly others?: readonly Service[] },
): TestService {
  return Object.assign(service, {
    env,
    async close() {
      await service.kill("SIGCONT");
      for (const each of [service, ...others]) await each.kill();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  });
}
