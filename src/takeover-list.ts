/** What operators are shown of takeovers: a record per account, which names the conversations and never says what is so. */
import { z } from "zod";
import { ConflictError } from "./errors.ts";
import { encodePart, type AccountRef } from "./ids.ts";
import { address, participant, type Address } from "./message.ts";
import type { Records } from "./ports.ts";

const listed = z.object({
  id: z.string(),
  to: address,
  participant,
  /** Why a person is asked for, in the words of who asks. */
  reason: z.string().optional(),
  /** The operator who has it; absent: nobody has come yet. */
  by: z.string().optional(),
  at: z.number(),
  until: z.number().optional(),
});
export type Listed = Readonly<z.infer<typeof listed>>;
const row = z.object({ v: z.literal(1), open: z.array(listed) });

export interface TakeoverList {
  of(account: AccountRef): Promise<readonly Listed[]>;
  /** As it is now; what it was asked for with stays. */
  show(one: Listed): Promise<void>;
  remove(account: AccountRef, id: string): Promise<void>;
}

const mostTries = 20;
/** Of one account. */
const mostOpen = 200;

export function createTakeoverList(records: Records): TakeoverList {
  const keyOf = (of: AccountRef) => `takeovers:${[of.tenant, of.channel, of.account].map(encodePart).join(":")}`;

  async function read(of: AccountRef) {
    const stored = await records.get(keyOf(of));
    return { etag: stored?.etag ?? null, open: stored === undefined ? [] : row.parse(stored.value).open };
  }

  /** @param next the same list: nothing is to be written. */
  async function change(of: AccountRef, next: (open: readonly Listed[]) => readonly Listed[]): Promise<void> {
    for (let tries = 1; ; tries++) {
      const { etag, open } = await read(of);
      const after = next(open);
      if (after === open) return;
      try {
        await records.put(keyOf(of), { v: 1, open: after.slice(-mostOpen) }, { etag });
        return;
      } catch (error) {
        if (!(error instanceof ConflictError) || tries === mostTries) throw error;
      }
    }
  }

  return {
    of: async (account) => (await read(account)).open,
    show: (one) =>
      change(one.to, (open) => {
        const before = open.find(({ id }) => id === one.id);
        if (before !== undefined && before.by === one.by && before.until === one.until) return open;
        // Of one conversation there is one: nobody is asked for where somebody has come meanwhile.
        const isOwn = isOf(one.to);
        if (one.by === undefined && open.some((other) => isOwn(other) && other.by !== undefined)) return open;
        const others = open.filter((other) => !isOwn(other));
        return [...others, { ...(before?.reason !== undefined && { reason: before.reason }), ...one }];
      }),
    remove: (account, id) =>
      change(account, (open) => {
        const rest = open.filter((one) => one.id !== id);
        return rest.length === open.length ? open : rest;
      }),
  };
}

export function isOf({ conversation }: Pick<Address, "conversation">): (one: Pick<Listed, "to">) => boolean {
  return ({ to }) => to.conversation === conversation;
}
