/** Who may write to which account, as the configuration says. */
import { randomBytes } from "node:crypto";
import type { CoreOptions } from "../core.ts";
import { openPolicy, type Policy } from "../policy.ts";
import { accountKey, accountsOf } from "./accounts.ts";
import { channelKinds } from "./channels.ts";
import type { Config } from "./config.ts";

export function accessOf(config: Config): NonNullable<CoreOptions["access"]> {
  const policies = new Map(
    accountsOf(config).map(({ name, account, own }): [string, Policy] => {
      // Whoever has the key of a channel for programs is trusted to write as fast as they like.
      const usual = config.limits.messagesPerMinute;
      const person = own.messagesPerMinute.person ?? (channelKinds[name].programs === true ? "off" : usual.person);
      const perAccount = own.messagesPerMinute.account ?? usual.account;
      return [
        accountKey({ tenant: own.tenant, channel: name, account }),
        {
          access: own.access ?? config.access,
          allow: new Set(own.allow),
          block: new Set(own.block),
          groups: own.groups,
          allowGroups: own.allowGroups === undefined ? undefined : new Set(own.allowGroups),
          bots: own.bots,
          perMinute: {
            person: numberOf(person),
            account: numberOf(perAccount),
            tenant: numberOf(config.tenants?.[own.tenant]?.limits.messagesPerMinute ?? "off"),
          },
        },
      ];
    }),
  );
  return { policyOf: (to) => policies.get(accountKey(to)) ?? openPolicy, newCode };
}

function numberOf(rate: number | "off"): number {
  return rate === "off" ? Infinity : rate;
}

/** Without what is easily taken for something else: 32 characters, so that every byte's remainder is as likely. */
const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

function newCode(): string {
  return [...randomBytes(8)].map((byte) => alphabet[byte % alphabet.length]).join("");
}
