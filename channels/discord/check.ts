/** What `ascent doctor` finds out about a bot. */
import type { Finding } from "../../src/channel.ts";
import { reasonOf, TerminalError } from "../../src/errors.ts";
import type { DiscordApi } from "./api.ts";
import { wantsContent, type DiscordOptions } from "./settings.ts";

interface Application {
  readonly name?: string;
  readonly flags?: number;
  readonly verify_key?: string;
  readonly interactions_endpoint_url?: string | null;
}

/** The Message Content Intent is allowed: to a bot in many servers, or to one in few. */
const contentFlags = (1 << 18) | (1 << 19);

export async function check(
  api: DiscordApi,
  options: DiscordOptions,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  let application: Application;
  try {
    application = await api.call<Application>("get application", { method: "GET", route: "/applications/@me", signal });
  } catch (error) {
    return [tokenFinding(error)];
  }
  return [
    { ok: true, text: `Discord: the token is that of ${application.name ?? "an application"}` },
    contentFinding(application, options),
    interactionFinding(application, options),
    await sessionFinding(api, signal),
  ];
}

function tokenFinding(error: unknown): Finding {
  if (error instanceof TerminalError) {
    const next = "Take a new token from the Bot page of the application and put it into DISCORD_TOKEN (token).";
    return { ok: false, text: "Discord: the token was not accepted", next };
  }
  const next = "See that this machine reaches DISCORD_API_ROOT (apiRoot); if it does, try again later.";
  return { ok: false, text: `Discord: no answer to the token (${reasonOf(error)})`, next };
}

function contentFinding({ flags = 0 }: Application, options: DiscordOptions): Finding {
  const allowed = (flags & contentFlags) !== 0;
  if (options.always && !wantsContent(options)) {
    return {
      ok: false,
      text: "Discord: groups is always, and messageContent is false: the bot sees only what mentions it or replies to it",
      next: "Set messageContent to true, or remove it, or set groups to mention.",
    };
  }
  if (!wantsContent(options)) {
    const text =
      "Discord: intents: direct messages, and messages in servers that mention the bot or reply to it; no privileged one";
    return { ok: true, text };
  }
  if (allowed) return { ok: true, text: "Discord: intents: all messages, and the Message Content Intent is allowed" };
  return {
    ok: false,
    text: "Discord: the settings ask for the text of all messages, and the application may not see it",
    next: "Allow the Message Content Intent on the application's Bot page, or set groups to mention and messageContent to false.",
  };
}

function interactionFinding(
  { verify_key: key, interactions_endpoint_url: url }: Application,
  { publicKey }: DiscordOptions,
): Finding {
  const set = url !== undefined && url !== null && url !== "";
  if (publicKey === undefined) {
    if (!set) return { ok: true, text: "Discord: commands and buttons come through the gateway" };
    const text = "Discord: commands and buttons go to an Interactions Endpoint URL, and DISCORD_PUBLIC_KEY is not set";
    return {
      ok: false,
      text,
      next: "Set DISCORD_PUBLIC_KEY to the application's public key, or remove the URL from its General page.",
    };
  }
  if (key !== undefined && key.toLowerCase() !== publicKey.toLowerCase()) {
    const text = "Discord: DISCORD_PUBLIC_KEY (publicKey) is not this application's public key";
    return { ok: false, text, next: "Copy it from the application's General page." };
  }
  if (set) return { ok: true, text: "Discord: commands and buttons come by webhook" };
  return {
    ok: true,
    text: "Discord: commands and buttons come through the gateway; no Interactions Endpoint URL is set",
  };
}

async function sessionFinding(api: DiscordApi, signal: AbortSignal): Promise<Finding> {
  try {
    type Gateway = { session_start_limit: { remaining: number; total: number } };
    const { session_start_limit: limit } = await api.call<Gateway>("get gateway", {
      method: "GET",
      route: "/gateway/bot",
      signal,
    });
    const text = `Discord: ${limit.remaining} of ${limit.total} sessions may be started today`;
    return limit.remaining > 0
      ? { ok: true, text }
      : { ok: false, text, next: "Wait until tomorrow, and find out what starts so many." };
  } catch (error) {
    return { ok: false, text: `Discord: the gateway could not be asked for (${reasonOf(error)})`, next: "Try again." };
  }
}
