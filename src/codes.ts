/**
 * Codes that join two channels to one person, in records, so that any process finds them. Only their digests are kept. Of one
 * agent's the last one counts; it is good once, for one command, for ten minutes.
 */
import { createHash, randomBytes } from "node:crypto";
import { z } from "zod";
import { ConflictError } from "./errors.ts";
import type { AgentId, ConversationId, MessageId } from "./ids.ts";
import type { Clock, Records } from "./ports.ts";

export const codeMs = 10 * 60_000;
/** Codes that a person may try within the time that one is good for. */
const mostTries = 5;
/** 32 letters and digits of which none looks like another: 50 bits in ten of them. */
const alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
const length = 10;

const stored = z.object({
  v: z.literal(1),
  agent: z.custom<AgentId>((value) => typeof value === "string"),
  conversation: z.custom<ConversationId>((value) => typeof value === "string"),
  until: z.number(),
  /** The command that it was good for. */
  used: z.string().optional(),
});
export type Code = z.infer<typeof stored>;
const tries = z.object({ v: z.literal(1), commands: z.array(z.string()), until: z.number() });
const latest = z.object({ v: z.literal(1), key: z.string() });

export interface Codes {
  /** @returns a new code, as it is shown. */
  issue(tenant: string, agent: AgentId, conversation: ConversationId): Promise<string>;
  /** Counts a try. False where there were too many lately; the same command counts once. */
  allow(agent: AgentId, command: MessageId): Promise<boolean>;
  /** Claims it for the command. Undefined where it is unknown, over, used by another, the agent's own or another tenant's. */
  redeem(tenant: string, agent: AgentId, code: string, command: MessageId): Promise<Code | undefined>;
  /** None of the agent's is good any more. */
  revoke(agent: AgentId): Promise<void>;
}

/** Ten letters and digits of 32: uniformly, since 256 is a multiple of it. */
export function randomCode(): string {
  return [...randomBytes(length)].map((byte) => alphabet[byte % alphabet.length]).join("");
}

export function createCodes(records: Records, clock: Clock, newCode: () => string): Codes {
  const digest = (...parts: readonly string[]) =>
    createHash("sha256").update(JSON.stringify(parts)).digest("base64url");
  const keyOf = (tenant: string, code: string) =>
    `link:${digest(tenant, code.toUpperCase().replaceAll(/[^A-Z0-9]/g, ""))}`;
  const latestKey = (agent: AgentId) => `link-of:${digest(agent)}`;
  const triesKey = (agent: AgentId) => `link-tries:${digest(agent)}`;

  async function revoke(agent: AgentId): Promise<void> {
    const known = await records.get(latestKey(agent));
    if (known !== undefined) await records.remove(latest.parse(known.value).key);
  }

  return {
    revoke,
    async issue(tenant, agent, conversation) {
      await revoke(agent);
      const code = newCode();
      const key = keyOf(tenant, code);
      const options = { ttlMs: codeMs };
      // Before the code: it is revoked whatever happens in between.
      await records.put(latestKey(agent), { v: 1, key } satisfies z.infer<typeof latest>, options);
      const value: Code = { v: 1, agent, conversation, until: clock.now() + codeMs };
      await records.put(key, value, { ...options, etag: null });
      return `${code.slice(0, length / 2)}-${code.slice(length / 2)}`;
    },
    async allow(agent, command) {
      for (;;) {
        const row = await records.get(triesKey(agent));
        const known = row === undefined ? undefined : tries.parse(row.value);
        const now = clock.now();
        const current = known !== undefined && known.until > now ? known : undefined;
        if (current?.commands.includes(command) === true) return true;
        if ((current?.commands.length ?? 0) >= mostTries) return false;
        const commands = [...(current?.commands ?? []), command];
        const value: z.infer<typeof tries> = { v: 1, commands, until: current?.until ?? now + codeMs };
        try {
          await records.put(triesKey(agent), value, { etag: row?.etag ?? null, ttlMs: codeMs });
          return true;
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
        }
      }
    },
    async redeem(tenant, agent, code, command) {
      const key = keyOf(tenant, code);
      const row = await records.get(key);
      const found = row === undefined ? undefined : stored.parse(row.value);
      if (row === undefined || found === undefined || found.agent === agent) return undefined;
      if (found.used !== undefined) return found.used === command ? found : undefined;
      if (found.until <= clock.now()) return undefined;
      try {
        // Kept for as long as an attempt of the same command may come again.
        await records.put(key, { ...found, used: command } satisfies Code, { etag: row.etag, ttlMs: codeMs });
        return found;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
        const now = await records.get(key);
        return now !== undefined && stored.parse(now.value).used === command ? found : undefined;
      }
    },
  };
}
