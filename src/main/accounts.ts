/** The channel accounts that the configuration names. */
import { channelKinds, type ChannelName } from "./channels.ts";
import type { Config } from "./config.ts";
import type { AccountSettings } from "./settings.ts";

export function accountsOf(config: Config) {
  return (Object.keys(channelKinds) as ChannelName[]).flatMap((name) => {
    const configured = config.channels[name] as Readonly<Record<string, AccountSettings>>;
    return Object.entries(configured)
      .filter(([, own]) => own.enabled)
      .map(([account, own]) => ({ name, account, settings: own as unknown, own }));
  });
}

export function accountKey({ tenant, channel, account }: { tenant: string; channel: string; account: string }): string {
  return JSON.stringify([tenant, channel, account]);
}
