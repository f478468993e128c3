import { setTimeout as sleep } from "node:timers/promises";
import { startWhatsAppFake } from "../../fakes/whatsapp.ts";
import type { GraphCall } from "../../fakes/whatsapp/types.ts";
import { optionsOf } from "../../fakes/whatsapp/validate.ts";
import type { Got, Stop } from "./visitor.ts";

/** By Meta's cloud. */
export async function whatsappStop(): Promise<Stop> {
  const fake = await startWhatsAppFake({ token: "EAA-canary-of-the-journey", retryUnitMs: 50 });
  let webhook = "";
  let people = 0;

  function shownOf(call: GraphCall): Got {
    const interactive = (call.body["interactive"] ?? {}) as Readonly<Record<string, unknown>>;
    const buttons = optionsOf(interactive).map(({ title }) => String(title));
    const { filename } = (call.body["document"] ?? {}) as { filename?: string };
    const of = { id: call.id ?? "", text: fake.textOf(call), buttons };
    return filename === undefined ? of : { ...of, file: filename };
  }

  return {
    name: "whatsapp",
    env: () => ({
      WHATSAPP_TOKEN: fake.token,
      WHATSAPP_PHONE_NUMBER_ID: fake.phoneNumberId,
      WHATSAPP_APP_SECRET: fake.appSecret,
      WHATSAPP_VERIFY_TOKEN: fake.verifyToken,
      WHATSAPP_API_ROOT: fake.url,
    }),
    account: {},
    secrets: [fake.token, fake.appSecret, fake.verifyToken],
    deviations: {
      grows: "WhatsApp's messages cannot be edited by a business",
      edits: "Meta does not tell a business of edits",
    },
    idempotent: false,
    async open(gateway) {
      webhook = `${gateway}/webhooks/whatsapp`;
      if (!(await fake.register(webhook)).answered) throw new Error("the webhook could not be registered");
    },
    async visitor(name) {
      const person = { phone: `1650556${1_000 + (people += 1)}`, name };
      const { phone } = person;
      return {
        says: async (text) => fake.says(person, text).id,
        again: async (message) => void (await fake.redeliver(message)),
        sendsPicture: async (text, bytes) => {
          fake.sendsFile(person, bytes, "in.png", { type: "image", mime: "image/png" });
          fake.says(person, text);
        },
        async presses(message, label) {
          const call = fake.said(phone).find(({ id }) => id === message.id);
          const interactive = (call?.body["interactive"] ?? {}) as Readonly<Record<string, unknown>>;
          const option = optionsOf(interactive).find(({ title }) => title === label);
          fake.presses(person, message.id, String(option?.id));
        },
        got: async () => fake.said(phone).map(shownOf),
        slowsDown: async () =>
          fake.fault({ operation: "message", chat: phone, kind: "error", code: 130_429, retryAfter: 1, times: 1 }),
        takesUnheard: async () =>
          fake.fault({ operation: "message", chat: phone, kind: "hang", accepted: true, times: 1 }),
        // Meta does not reach the gateway, and posts again what it could not.
        async breaksOff() {
          fake.leadTo("http://127.0.0.1:9/");
          void sleep(300).then(() => fake.leadTo(webhook));
        },
      };
    },
    close: () => fake.close(),
  };
}
