/**
 * WhatsApp as a linked device of a phone, by whatsapp-web.js in a browser. Unofficial, and only where it is asked for. The same
 * messages as on the Cloud API, without buttons: choices become a numbered list.
 *
 * @see https://docs.wwebjs.dev
 */
import { access, constants } from "node:fs/promises";
import type { Channel, ChannelDeps, Finding, Traits } from "../../../src/channel.ts";
import { whatsappDialect } from "../format.ts";
import { reachByWeb } from "../reach.ts";
import type { WhatsAppOptions } from "../settings.ts";
import { createWebConnector, type WebPlace } from "./connect.ts";
import { drawn } from "../../../src/qr.ts";
import { createWebSender, fetchWebMedia, notReady, page } from "./send.ts";

const mb = 1024 * 1024;
const noBrowser: Finding = {
  ok: false,
  text: "WhatsApp Web: there is no browser",
  next: "Install Chromium (on Debian: apt install chromium), or say with CHROMIUM_PATH where it is.",
};

export const webTraits: Traits = {
  order: "time",
  text: { max: 65_536 },
  caption: { max: 1_024 },
  media: { image: 16 * mb, video: 64 * mb, audio: 16 * mb, voice: 16 * mb, file: 64 * mb, sticker: mb },
  location: true,
  replies: true,
  receipts: "id",
  bySocket: true,
  typingMs: 20_000,
};

export function whatsappWeb(options: WhatsAppOptions, deps: ChannelDeps, place: WebPlace): Channel {
  const { tenant, channel, account } = deps;
  const connector = createWebConnector(deps, options, place);
  const ready = () => {
    const life = connector.life();
    if (life?.state() !== "ready") throw notReady();
    return life.client;
  };
  return {
    tenant,
    channel,
    account,
    traits: webTraits,
    dialect: whatsappDialect,
    send: createWebSender(deps, ready),
    async typing(to, on) {
      const chat = await page("typing", ready().getChatById(to.chat));
      await page<unknown>("typing", on ? chat.sendStateTyping() : chat.clearState());
    },
    fetchMedia: (ref, signal) => fetchWebMedia(ready, options.mediaMaxBytes, ref, signal),
    reread: (raw) => connector.intake.reread(raw),
    reach: (target) => reachByWeb(deps, target),
    connect: connector.connect,
    watchLink: connector.watch,
    async check() {
      const life = connector.life();
      const found = await access(options.chromium, constants.X_OK).then(
        () => true,
        () => false,
      );
      return [found ? finding(life?.state(), life?.code(), connector.trouble()) : noBrowser];
    },
  };
}

/** The doctor of a running gateway sees its browser; one that opens the data by itself starts none. */
function finding(state: string | undefined, code: string | undefined, trouble: string | undefined): Finding {
  if (state === "ready")
    return { ok: true, text: "WhatsApp Web: linked and ready (unofficial: the number may be banned)" };
  if (code !== undefined) {
    return {
      ok: false,
      text: "WhatsApp Web: waits for a scan",
      next: `On the phone: WhatsApp > Linked devices > Link a device, and scan this:\n${drawn(code)}`,
    };
  }
  if (trouble !== undefined) {
    const next = "See that this machine reaches https://web.whatsapp.com; the gateway goes on trying.";
    return { ok: false, text: `WhatsApp Web: the last browser ${trouble}`, next };
  }
  if (state === undefined) return { ok: true, text: "WhatsApp Web: no browser runs now; the gateway starts one" };
  return {
    ok: false,
    text: "WhatsApp Web: the browser is starting",
    next: "Ask again in a minute; the log says when it is started anew.",
  };
}
