/** The channels there are. A new one is a line here and its folder. */
import type { z } from "zod";
import { discord } from "../../channels/discord/index.ts";
import { discordSettings } from "../../channels/discord/settings.ts";
import { openai, openaiSettings } from "../../channels/openai/index.ts";
import { telegram } from "../../channels/telegram/index.ts";
import { telegramSettings } from "../../channels/telegram/settings.ts";
import { web } from "../../channels/web/index.ts";
import { webSettings, type WebSettings } from "../../channels/web/settings.ts";
import { webhook, webhookSettings } from "../../channels/webhook/index.ts";
import { whatsapp } from "../../channels/whatsapp/index.ts";
import { whatsappSettings } from "../../channels/whatsapp/settings.ts";
import type { Channel, ChannelDeps } from "../channel.ts";
import type { SafeFetch } from "../fetch.ts";
import type { Policy } from "../policy.ts";

/** What the composition knows that a channel's own settings do not say. */
export interface ChannelSetting {
  readonly agent: WebSettings["agent"];
  /** All agents by their names in the configuration. */
  readonly agents: readonly string[];
  readonly pageDirectory: string;
  /** What /docs describes beside the web page's API. */
  readonly documents: WebSettings["documents"];
  readonly safeFetch: SafeFetch;
  /** What the account answers in groups: some platforms have to be asked for more. */
  readonly groups: Policy["groups"];
  /** The gateway's own directory. */
  readonly data: string;
}

interface ChannelKind<Settings> {
  readonly settings: z.ZodType<Settings>;
  /** An account "main" exists without being configured. */
  readonly always?: true;
  /** Programs with a key write there, for many people or for none. */
  readonly programs?: true;
  make(settings: Settings, deps: ChannelDeps, setting: ChannelSetting): Channel;
}

function kind<Settings>(of: ChannelKind<Settings>): ChannelKind<unknown> {
  return of as ChannelKind<unknown>;
}

export const channelKinds = {
  discord: kind({
    settings: discordSettings.omit({ always: true }),
    make: (settings, deps, { groups }) => discord({ ...settings, always: groups === "always" }, deps),
  }),
  openai: kind({
    settings: openaiSettings,
    programs: true,
    make: (settings, deps, { agents, safeFetch }) => openai(settings, deps, { agents, safeFetch }),
  }),
  telegram: kind({ settings: telegramSettings, make: telegram }),
  web: kind({
    settings: webSettings.omit({ pageDirectory: true, agent: true, documents: true }),
    always: true,
    make: (settings, deps, { agent, pageDirectory, documents }) =>
      web({ ...settings, agent, pageDirectory, documents }, deps),
  }),
  webhook: kind({
    settings: webhookSettings,
    programs: true,
    make: (settings, deps, { safeFetch }) => webhook(settings, deps, safeFetch),
  }),
  whatsapp: kind({
    settings: whatsappSettings,
    make: (settings, deps, { data }) => whatsapp(settings, deps, data),
  }),
};
export type ChannelName = keyof typeof channelKinds;
