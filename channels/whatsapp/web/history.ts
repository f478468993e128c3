/** What people wrote while nobody listened: the chats' history, as far as WhatsApp Web has it. */
import type { Client } from "whatsapp-web.js";

/** Of one chat. */
const mostMessages = 200;

/** Messages of people, not older than this, of all chats in the order of writing. */
export async function history(client: Client, sinceSeconds: number): Promise<readonly unknown[]> {
  const found: { readonly t: number; readonly raw: unknown }[] = [];
  for (const chat of await client.getChats()) {
    if ((chat.timestamp ?? 0) < sinceSeconds) continue;
    const messages = await chat.fetchMessages({ limit: mostMessages, fromMe: false });
    for (const { timestamp: t, rawData: raw } of messages) if (t >= sinceSeconds) found.push({ t, raw });
  }
  return found.toSorted((one, other) => one.t - other.t).map(({ raw }) => raw);
}
