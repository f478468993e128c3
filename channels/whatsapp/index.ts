/**
 * WhatsApp, in one of two ways under one contract: Meta's Cloud API, or, where it is asked for, as a linked device of a phone.
 *
 * @see https://developers.facebook.com/documentation/business-messaging/whatsapp
 */
import { join } from "node:path";
import type { Channel, ChannelDeps } from "../../src/channel.ts";
import { whatsappCloud } from "./cloud.ts";
import { whatsappSettings, type CloudOptions, type WhatsAppSettings } from "./settings.ts";
import { whatsappWeb } from "./web/index.ts";

/**
 * @param data the gateway's own directory: WhatsApp Web keeps its session there.
 * @throws ZodError that says which setting is missing or wrong.
 */
export function whatsapp(settings: WhatsAppSettings, deps: ChannelDeps, data: string): Channel {
  const options = whatsappSettings.parse(settings);
  if (options.web) return whatsappWeb(options, deps, { directory: join(data, "whatsapp") });
  return whatsappCloud(options as CloudOptions, deps);
}
