import { startTelegramFake } from "../../fakes/telegram.ts";
import { isAnswer, type CallEntry } from "../../fakes/telegram/log.ts";
import type { Got, Stop, Visitor } from "./visitor.ts";

const webhookSecret = "canary_of_the_journey";

/** By webhook, since by polling nothing that was confirmed comes again. */
export async function telegramStop(): Promise<Stop> {
  const fake = await startTelegramFake({
    bots: [{ token: "1000001:canary-of-the-journey" }],
    webhookRetryUnitMs: 50,
  });
  let people = 7_600_000;

  function draftsOf(id: number): string[] {
    const drafts = fake.log.calls.filter(({ method, chat }) => method === "sendmessagedraft" && chat === id);
    return drafts.map(({ params }) => String(params["text"]));
  }

  function visitor(): Visitor {
    const id = (people += 1);
    const user = fake.user(id);
    const messages = new Map<string, number>();
    const said = ({ updateId, messageId }: { updateId: number; messageId: number }) => {
      messages.set(String(updateId), messageId);
      return String(updateId);
    };
    return {
      says: async (text) => said(await user.sends(id, text)),
      again: async (update) => void (await fake.redeliver(Number(update))),
      sendsPicture: async (caption, bytes) =>
        void (await user.sends(id, { kind: "photo", data: bytes.toString("base64"), caption })),
      sendsDocument: async (caption, { name, type, bytes }) =>
        void (await user.sends(id, { kind: "document", data: bytes.toString("base64"), name, mime: type, caption })),
      edits: async (update, text) => void (await user.edits(id, messages.get(update) ?? 0, text)),
      async presses(message, label) {
        const key = keysOf(fake.log.calls, Number(message.id)).find(({ text }) => text === label);
        await user.presses(id, Number(message.id), key?.callback_data ?? "");
      },
      got: async () => shown(fake.log.calls.filter((call) => call.chat === id)),
      grew: () => draftsOf(id).length,
      drafts: () => draftsOf(id),
      slowsDown: () => fake.fault({ method: "sendMessage", chat: id, kind: "rate_limit", retryAfter: 1, times: 1 }),
      takesUnheard: () => fake.fault({ method: "sendMessage", chat: id, kind: "hang", accepted: true, times: 1 }),
      breaksOff: () => fake.fault({ method: "sendMessage", chat: id, kind: "close", times: 1 }),
    };
  }

  return {
    name: "telegram",
    env: (gateway) => ({
      TELEGRAM_BOT_TOKEN: fake.token,
      TELEGRAM_API_ROOT: fake.url,
      TELEGRAM_WEBHOOK_URL: `${gateway}/webhooks/telegram`,
      TELEGRAM_WEBHOOK_SECRET: webhookSecret,
    }),
    account: {},
    secrets: [fake.token.split(":")[1] ?? "", webhookSecret],
    deviations: {},
    idempotent: false,
    open: async () => undefined,
    visitor: async () => visitor(),
    close: () => fake.close(),
  };
}

interface Key {
  readonly text: string;
  readonly callback_data?: string;
}

function keysOf(calls: readonly CallEntry[], message: number): Key[] {
  const markup = calls.find(({ messageId, params }) => messageId === message && "reply_markup" in params)?.params[
    "reply_markup"
  ];
  const { inline_keyboard: keyboard = [] } = (typeof markup === "string" ? JSON.parse(markup) : (markup ?? {})) as {
    inline_keyboard?: Key[][];
  };
  return keyboard.flat();
}

/** Each message once, as it last read. */
function shown(calls: readonly CallEntry[]): Got[] {
  const messages = new Map<number, Got>();
  for (const call of calls) {
    if (!isAnswer(call)) continue;
    const file = call.files?.[0]?.name;
    const buttons = keysOf(calls, call.messageId).map(({ text }) => text);
    const at = messages.get(call.messageId)?.at ?? call.acceptedAt ?? 0;
    const of = { id: String(call.messageId), text: call.text, buttons, at };
    messages.set(call.messageId, file === undefined ? of : { ...of, file });
  }
  return [...messages.values()];
}
