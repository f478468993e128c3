/**
 * Which id stands for a phone number. Where Meta tells a person's id the person is known by it, whatever becomes of the number;
 * whoever writes to them first knows the number.
 */
import { z } from "zod";
import type { ChannelDeps } from "../../src/channel.ts";
import { reasonOf } from "../../src/errors.ts";
import { encodePart } from "../../src/ids.ts";
import { createRecent } from "../../src/recent.ts";

const keptMs = 24 * 3600 * 1000;
const known = z.object({ v: z.literal(1), user: z.string() });

export interface PhoneOf {
  readonly phone: string;
  readonly user: string;
}

export interface Numbers {
  /** Best effort: without it the number counts as somebody else's. */
  learn(of: PhoneOf): Promise<void>;
  /** The id under which the person writes; the number itself where there is none. */
  userOf(phone: string): Promise<string>;
}

export function createNumbers({ records, clock, log, tenant, channel, account }: ChannelDeps): Numbers {
  const recent = createRecent<string, string>(clock, keptMs);
  const keyOf = (phone: string) => ["whatsapp", tenant, account, "number", phone].map(encodePart).join(":");

  async function read(phone: string): Promise<string | undefined> {
    return known.safeParse((await records.get(keyOf(phone)))?.value).data?.user;
  }

  return {
    async learn({ phone, user }) {
      if (recent.get(phone) === user) return;
      try {
        if ((await read(phone)) !== user) await records.put(keyOf(phone), { v: 1, user });
        recent.set(phone, user);
      } catch (error) {
        log.warn({ channel, account, reason: reasonOf(error) }, "whatsapp: a person's number is not noted");
      }
    },
    userOf: async (phone) => (await read(phone)) ?? phone,
  };
}
