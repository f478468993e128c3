/**
 * WhatsApp: Meta's Cloud API.
 *
 * @see https://developers.facebook.com/documentation/business-messaging/whatsapp
 */
import type { Channel, ChannelDeps } from "../../src/channel.ts";
import { whatsappCloud } from "./cloud.ts";
import { whatsappSettings, type CloudOptions, type WhatsAppSettings } from "./settings.ts";

/** @throws ZodError that says which setting is missing or wrong. */
export function whatsapp(settings: WhatsAppSettings, deps: ChannelDeps): Channel {
  const options = whatsappSettings.parse(settings);
  return whatsappCloud(options as CloudOptions, deps);
}
