/** A stage for the real gateway on WhatsApp Web: WhatsApp's page and a model on loopback, and a real browser between them. */
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFailed, onTestFinished } from "vitest";
import { checkInvariants, type Inbound, type Outbound } from "../fakes/invariants.ts";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import { tokensIn } from "../fakes/tokens.ts";
import { startWhatsAppWebFake, webText, type WebData, type WhatsAppWebFake } from "../fakes/whatsapp-web.ts";
import { createGateway, type GatewayProcess } from "./gateway-process.ts";
import { eventually } from "./stage.ts";

export interface WebStage {
  readonly whatsapp: WhatsAppWebFake;
  readonly model: OpenAiFake;
  readonly gateway: GatewayProcess;
  /** What people wrote, in their order. */
  readonly written: readonly WebData[];
  says(chat: string, text: string, more?: Readonly<Record<string, unknown>>): Promise<string>;
}

/** What a gateway needs to take the fake for WhatsApp. */
export const webEnvironment = (whatsapp: WhatsAppWebFake, model: OpenAiFake): Readonly<Record<string, string>> => ({
  ASCENT_MODEL: "compatible:test",
  OPENAI_BASE_URL: model.baseURL,
  OPENAI_API_KEY: "sk-of-the-tests",
  WHATSAPP_WEB: "on",
  CHROMIUM_PATH: whatsapp.chromium,
});

/** All of it ends with the test, and a failed test prints the gateway's log. */
export async function openWebStage(browser: string, config: Readonly<Record<string, unknown>> = {}): Promise<WebStage> {
  const whatsapp = await startWhatsAppWebFake(browser);
  const model = await startOpenAiFake({ models: ["test"] });
  const gateway = await createGateway({
    config: {
      models: { timeoutSeconds: 20, retries: 1 },
      server: { graceSeconds: 5 },
      channels: { web: { main: { enabled: false } } },
      ...config,
    },
    env: () => ({ ASCENT_CONFIG: "ascent.yaml", ...webEnvironment(whatsapp, model) }),
  });
  onTestFailed(() => console.error(["the gateway's log ends:", gateway.tail()].join("\n")));
  onTestFinished(async () => {
    await gateway.close();
    await Promise.all([whatsapp.close(), model.close()]);
  });
  await gateway.start();
  await untilShown(whatsapp);
  const written: WebData[] = [];
  return {
    whatsapp,
    model,
    gateway,
    written,
    async says(chat, text, more) {
      const message = webText(chat, text, more);
      written.push(message);
      await whatsapp.says(message);
      return message.id._serialized;
    },
  };
}

/** A browser shows the page, and its client has begun to listen. */
export async function untilShown(whatsapp: WhatsAppWebFake): Promise<void> {
  await eventually("a browser shows the page", () => whatsapp.pages() > 0, 40_000);
  await sleep(1_500);
}

/** What the number said in a chat, in words. */
export function saidTo({ sent }: Pick<WhatsAppWebFake, "sent">, chat: string): string[] {
  return sent.flatMap((one) => (one.chat === chat ? [one.caption ?? one.body ?? ""] : []));
}

export async function untilSaidTo(
  whatsapp: WhatsAppWebFake,
  chat: string,
  count: number,
  mostMs = 30_000,
): Promise<string[]> {
  const all = () => saidTo(whatsapp, chat);
  await eventually(`${count} messages in ${chat}, not ${all().length}`, () => all().length >= count, mostMs);
  return all();
}

/** A send may have arrived and not be recorded yet for this long. */
const recordMs = 500;

/** Everything wrong with a run, one line each: lost, twice, out of order, or said in a log. */
export function wrongWithWeb(
  whatsapp: WhatsAppWebFake,
  written: readonly WebData[],
  gateways: readonly Pick<GatewayProcess, "kills" | "output">[],
): string[] {
  const inbound = written.flatMap(({ id, body }, at): Inbound[] => {
    const [token] = tokensIn(String(body));
    return token === undefined ? [] : [{ token, conversation: id.remote, arrivedAt: at, acknowledgedAt: at }];
  });
  const outbound = whatsapp.sent.map((one): Outbound => ({
    conversation: one.chat,
    text: one.caption ?? one.body ?? "",
    at: one.at,
  }));
  const kills = gateways.flatMap((gateway) => gateway.kills);
  const flying = outbound.filter(({ at }) => kills.some((kill) => Math.abs(at - kill) < recordMs)).length;
  const report = checkInvariants(inbound, outbound, { excused: new Map(), duplicates: flying });
  const leaks = gateways.flatMap((gateway) => tokensIn(gateway.output()));
  return [
    ...report.violations.map(({ invariant, detail }) => `${invariant} ${detail}`),
    ...leaks.map((token) => `a gateway's output holds message text (${token})`),
  ];
}
