/**
 * Discord: messages through the gateway, commands and buttons through the gateway or by webhook.
 *
 * @see https://discord.com/developers/docs
 */
import type { Channel, ChannelDeps, Traits } from "../../src/channel.ts";
import { createApi } from "./api.ts";
import { maxText } from "./body.ts";
import { check } from "./check.ts";
import { createConnector, type Identity } from "./connect.ts";
import { createDrafts } from "./drafts.ts";
import { discordDialect } from "./format.ts";
import { createGuilds } from "./guilds.ts";
import { createIntake } from "./intake.ts";
import { fetchMedia } from "./media.ts";
import { platformMessageId } from "./names.ts";
import type { Dispatch } from "./parse.ts";
import { createPlaces } from "./places.ts";
import { reach } from "./reach.ts";
import { createSender, maxFile } from "./send.ts";
import { createSentMessages } from "./sent.ts";
import { discordSettings, type DiscordSettings } from "./settings.ts";
import { createTokens } from "./tokens.ts";
import { createWebhook } from "./webhook.ts";

/** @throws ZodError that says which setting is wrong. */
export function discord(settings: DiscordSettings, deps: ChannelDeps): Channel {
  const options = discordSettings.parse(settings);
  const { tenant, channel, account } = deps;
  const api = createApi(options);
  const identity = createIdentity(() => api.call("get user", { method: "GET", route: "/users/@me" }));
  const guilds = createGuilds(identity.me);
  const places = createPlaces(deps);
  const tokens = createTokens(deps);
  const intake = createIntake(deps, options, { identity, guilds, places, tokens });
  const drafts = createDrafts(deps, api, intake, tokens);
  const sent = createSentMessages(deps, api, identity.ask);
  const connector = createConnector(deps, options, { api, identity, guilds, places, tokens, intake });
  let stopping = false;

  const base: Channel = {
    tenant,
    channel,
    account,
    traits: traitsOf(options.preview),
    dialect: discordDialect,
    send: createSender({ deps, api, drafts, tokens, sent }),
    async typing({ chat }, on) {
      // Discord ends it by itself: after ten seconds, or when a message comes.
      if (on) await api.call("typing", { method: "POST", route: `/channels/${encodeURIComponent(chat)}/typing` });
    },
    ...(options.preview ? { preview: drafts.preview } : {}),
    reread: (raw) => intake.reread(raw as Dispatch),
    reach: (target) => reach({ account: deps, api, places }, target),
    ratedAs: ({ to, id }) => (id === undefined ? [] : [platformMessageId(deps, to.chat, id)]),
    fetchMedia: (ref, signal) => fetchMedia(api, options, ref, signal),
    async connect(signal) {
      signal.addEventListener("abort", () => (stopping = true), { once: true });
      return connector.connect(signal);
    },
    close: api.close,
    check: (signal) => check(api, options, signal),
  };
  const { publicKey } = options;
  if (publicKey === undefined) return base;
  return { ...base, ...createWebhook(deps, { intake, tokens, publicKey, stopping: () => stopping }) };
}

function createIdentity(ask: () => Promise<{ id: string }>): Identity {
  let me = "";
  let application = "";
  return {
    me: () => me,
    application: () => application,
    learn: (id) => void (application = id),
    async ask() {
      if (me === "") me = (await ask()).id;
      return me;
    },
  };
}

function traitsOf(preview: boolean): Traits {
  return {
    order: "time",
    text: { max: maxText },
    caption: { max: maxText },
    buttons: { max: 25, label: 80, id: 100 },
    media: { image: maxFile, video: maxFile, audio: maxFile, voice: maxFile, file: maxFile },
    location: false,
    replies: true,
    receipts: false,
    reactions: "many",
    // "The past few minutes" is what Discord says of a nonce.
    idempotentMs: 120_000,
    typingMs: 8_000,
    ...(preview ? { preview: { everyMs: 1_200, in: ["direct", "group"] } } : {}),
  };
}
