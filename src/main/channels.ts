/** The channels there are. A new one is a line here and its folder. */
import type { z } from "zod";
import { a2aSettings } from "../../channels/a2a/settings.ts";
import { discordSettings } from "../../channels/discord/settings.ts";
import { openaiSettings } from "../../channels/openai/settings.ts";
import { telegramSettings } from "../../channels/telegram/settings.ts";
import { webSettings, type WebSettings } from "../../channels/web/settings.ts";
import { webhookSettings } from "../../channels/webhook/settings.ts";
import { whatsappSettings } from "../../channels/whatsapp/settings.ts";
import type { Channel, ChannelDeps } from "../channel.ts";
import type { SafeFetch } from "../fetch.ts";
import type { Policy } from "../policy.ts";
import type { Profile } from "../skilled.ts";
import type { TaskHost } from "../task-host.ts";

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
  /** The agents as other agents know them. */
  readonly profiles: readonly Profile[];
  /** Has the gateway serve an agent's tasks by A2A. */
  readonly host: TaskHost["add"];
}

type Make<Settings> = (settings: Settings, deps: ChannelDeps, setting: ChannelSetting) => Channel;

interface ChannelKind<Settings> {
  readonly settings: z.ZodType<Settings>;
  /** An account "main" exists without being configured. */
  readonly always?: true;
  /** Programs with a key write there, for many people or for none. */
  readonly programs?: true;
  /** The channel's folder beside its settings: where there is no account of it, nothing of it is read. */
  load(): Promise<Make<Settings>>;
}

function kind<Settings>(of: ChannelKind<Settings>): ChannelKind<unknown> {
  return of as ChannelKind<unknown>;
}

export const channelKinds = {
  a2a: kind({
    settings: a2aSettings,
    programs: true,
    async load() {
      const { a2a } = await import("../../channels/a2a/index.ts");
      return (settings, deps, { profiles, host }) => a2a(settings, deps, { profiles, host });
    },
  }),
  discord: kind({
    settings: discordSettings.omit({ always: true }),
    async load() {
      const { discord } = await import("../../channels/discord/index.ts");
      return (settings, deps, { groups }) => discord({ ...settings, always: groups === "always" }, deps);
    },
  }),
  openai: kind({
    settings: openaiSettings,
    programs: true,
    load: async () => (await import("../../channels/openai/index.ts")).openai,
  }),
  telegram: kind({
    settings: telegramSettings,
    load: async () => (await import("../../channels/telegram/index.ts")).telegram,
  }),
  web: kind({
    settings: webSettings.omit({ pageDirectory: true, agent: true, documents: true }),
    always: true,
    async load() {
      const { web } = await import("../../channels/web/index.ts");
      return (settings, deps, { agent, pageDirectory, documents }) =>
        web({ ...settings, agent, pageDirectory, documents }, deps);
    },
  }),
  webhook: kind({
    settings: webhookSettings,
    programs: true,
    async load() {
      const { webhook } = await import("../../channels/webhook/index.ts");
      return (settings, deps, { safeFetch }) => webhook(settings, deps, safeFetch);
    },
  }),
  whatsapp: kind({
    settings: whatsappSettings,
    async load() {
      const { whatsapp } = await import("../../channels/whatsapp/index.ts");
      return (settings, deps, { data }) => whatsapp(settings, deps, data);
    },
  }),
};
export type ChannelName = keyof typeof channelKinds;
