/**
 * A stage with two tenants in one gateway: "acme", to whom things happen, with a Telegram bot and a webhook; and "globex", who
 * must not notice, with a Telegram bot and a WhatsApp number. Each has an agent of its own, whose model has the tenant's name.
 */
import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { onTestFailed, onTestFinished } from "vitest";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import { startTelegramFake, type TelegramFake } from "../fakes/telegram.ts";
import type { TelegramDriver } from "../fakes/telegram/driver.ts";
import { isAnswer } from "../fakes/telegram/log.ts";
import { startWhatsAppFake, type WhatsAppFake } from "../fakes/whatsapp.ts";
import { createGateway, type GatewayProcess } from "./gateway-process.ts";
import { eventually, type Secrets } from "./stage.ts";

export const bots = { acme: 1_000_001, globex: 1_000_002, sales: 1_000_003 } as const;
/** "sales" is a second account of acme's. */
export type Bot = keyof typeof bots;

export interface TenantsStage {
  readonly telegram: TelegramFake;
  readonly whatsapp: WhatsAppFake;
  readonly model: OpenAiFake;
  readonly gateway: GatewayProcess;
  /** All canaries. What {@link import("./stage.ts").judge} wants to know of them. */
  readonly secrets: Secrets;
  bot(name: Bot): TelegramDriver;
  /** What the bot said in a chat. */
  said(name: Bot, chat: number): string[];
  /** What the bot says in a chat, once that contains this. */
  sees(name: Bot, chat: number, what: string, mostMs?: number): Promise<string>;
  /** Posts to acme's webhook and waits for the answer in the response. */
  posts(body: Readonly<Record<string, unknown>>, webhookId?: string): Promise<Response>;
  start(): Promise<void>;
  /** The names that /readyz says are off. */
  off(): Promise<readonly string[]>;
}

export interface TenantsStageOptions {
  /** Laid over the stage's own ascent.yaml. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Of every account of Telegram. */
  readonly account?: Readonly<Record<string, unknown>>;
}

/** Builds the stage; {@link TenantsStage.start} starts the gateway. A failed test prints the gateway's log. */
export async function openTenantsStage(options: TenantsStageOptions = {}): Promise<TenantsStage> {
  const canary = () => randomBytes(12).toString("hex");
  const tokens = {
    acme: `${bots.acme}:acme-canary-${canary()}`,
    globex: `${bots.globex}:globex-canary-${canary()}`,
    sales: `${bots.sales}:sales-canary-${canary()}`,
  };
  const secrets: Secrets = {
    botToken: tokens.acme,
    apiKey: `sk-canary-${canary()}`,
    telegramWebhook: `canary-${canary()}`,
    webhook: `whsec_${randomBytes(32).toString("base64")}`,
  };
  const telegram = await startTelegramFake({ bots: Object.values(tokens).map((token) => ({ token })) });
  const whatsapp = await startWhatsAppFake({ retryUnitMs: 50 });
  const model = await startOpenAiFake({ apiKey: secrets.apiKey, models: ["acme", "globex"] });
  const botAccount = (name: Bot, tenant: string) => ({
    token: `\${${name.toUpperCase()}_BOT_TOKEN}`,
    apiRoot: telegram.url,
    tenant,
    agent: tenant,
    ...options.account,
  });
  const gateway = await createGateway({
    config: {
      tenants: { acme: {}, globex: {} },
      agents: {
        acme: { model: "compatible:acme", timeoutMs: 60_000, retries: 1 },
        globex: { model: "compatible:globex", timeoutMs: 60_000, retries: 1 },
      },
      channels: {
        web: { main: { enabled: false } },
        telegram: {
          acme: botAccount("acme", "acme"),
          sales: botAccount("sales", "acme"),
          globex: botAccount("globex", "globex"),
        },
        webhook: { acme: { secret: "${ACME_WEBHOOK_SECRET}", tenant: "acme", agent: "acme" } },
        whatsapp: {
          globex: {
            token: whatsapp.token,
            phoneNumberId: whatsapp.phoneNumberId,
            appSecret: whatsapp.appSecret,
            verifyToken: whatsapp.verifyToken,
            apiRoot: whatsapp.url,
            tenant: "globex",
            agent: "globex",
          },
        },
      },
      models: { timeoutSeconds: 20, retries: 1 },
      server: { graceSeconds: 5 },
      ...options.config,
    },
    env: () => ({
      ASCENT_CONFIG: "ascent.yaml",
      ASCENT_MODEL: "compatible:globex",
      OPENAI_BASE_URL: model.baseURL,
      OPENAI_API_KEY: secrets.apiKey,
      ACME_BOT_TOKEN: tokens.acme,
      SALES_BOT_TOKEN: tokens.sales,
      GLOBEX_BOT_TOKEN: tokens.globex,
      ACME_WEBHOOK_SECRET: secrets.webhook,
    }),
  });
  onTestFailed(() => console.error(["the gateway's log ends:", gateway.tail()].join("\n")));
  onTestFinished(async () => {
    await gateway.close();
    await Promise.all([telegram.close(), whatsapp.close(), model.close()]);
  });
  const said = (name: Bot, chat: number) =>
    telegram.log.calls.flatMap((call) =>
      isAnswer(call) && call.bot === bots[name] && call.chat === chat ? [call.text] : [],
    );

  return {
    telegram,
    whatsapp,
    model,
    gateway,
    secrets,
    bot: (name) => telegram.bot(tokens[name]),
    said,
    sees: (name, chat, what, mostMs) =>
      eventually(
        `${name} says “${what}” in chat ${chat}`,
        () => said(name, chat).findLast((text) => text.includes(what)),
        mostMs,
      ),
    posts(body, webhookId = `msg_${canary()}`) {
      const text = JSON.stringify({ wait: true, ...body });
      const at = new Date();
      const headers = {
        "content-type": "application/json",
        "webhook-id": webhookId,
        "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
        "webhook-signature": new Webhook(secrets.webhook).sign(webhookId, at, text),
      };
      return fetch(`${gateway.url}/webhooks/in/acme`, { method: "POST", headers, body: text });
    },
    async start() {
      await gateway.start();
      await whatsapp.register(`${gateway.url}/webhooks/whatsapp/globex`);
    },
    async off() {
      const answer = (await (await fetch(`${gateway.url}/readyz`)).json()) as { readonly off?: readonly string[] };
      return answer.off ?? [];
    },
  };
}

/** Globex's people write and are answered as if nothing were the matter. @returns the p99 of their waits. */
export async function globexGoesOn(
  stage: TenantsStage,
  firstUser: number,
  { users = 4, turns = 8 } = {},
): Promise<number> {
  const person = { phone: `4915112${firstUser}`, name: "Gerd" };
  stage.whatsapp.says(person, { type: "text", text: { body: `hello m-9${firstUser}-1` } });
  const report = await stage.bot("globex").drive({ users, turns, firstUser, lingerMs: 0, turnTimeoutMs: 20_000 });
  if (report.unanswered.length > 0) throw new Error(`not answered: ${report.unanswered.join(", ")}`);
  await eventually("WhatsApp is answered", () => stage.whatsapp.said(person.phone).length > 0);
  return report.p99;
}
