/** A stage for the real gateway on WhatsApp: a Graph API and a model on loopback in this process, and the judgement. */
import { randomBytes } from "node:crypto";
import { onTestFailed, onTestFinished } from "vitest";
import { checkInvariants, checkModelRequests, type Inbound, type Outbound } from "../fakes/invariants.ts";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import { tokensIn } from "../fakes/tokens.ts";
import { startWhatsAppFake, type WhatsAppFake, type WhatsAppFakeOptions } from "../fakes/whatsapp.ts";
import { createGateway, type GatewayProcess } from "./gateway-process.ts";
import { isInFlight, withoutRepeats } from "./repeats.ts";
import { eventually } from "./stage.ts";

export interface WhatsAppStage {
  readonly platform: WhatsAppFake;
  readonly model: OpenAiFake;
  readonly gateway: GatewayProcess;
  /** Where Meta posts to. */
  readonly webhook: string;
}

export interface WhatsAppStageOptions {
  readonly config?: Readonly<Record<string, unknown>>;
  /** Further settings of the account. */
  readonly account?: Readonly<Record<string, unknown>>;
  readonly platform?: WhatsAppFakeOptions;
}

/** Starts the gateway and registers its webhook. All of it ends with the test, and a failed test prints the gateway's log. */
export async function openWhatsAppStage(options: WhatsAppStageOptions = {}): Promise<WhatsAppStage> {
  const platform = await startWhatsAppFake({
    token: `EAA-canary-${randomBytes(12).toString("hex")}`,
    appSecret: randomBytes(16).toString("hex"),
    verifyToken: `canary-${randomBytes(12).toString("hex")}`,
    retryUnitMs: 50,
    ...options.platform,
  });
  const model = await startOpenAiFake({ models: ["test"] });
  const base = { models: { timeoutSeconds: 20, retries: 1 }, server: { graceSeconds: 5 } };
  const gateway = await createGateway({
    config: {
      ...base,
      channels: { web: { main: { enabled: false } }, whatsapp: { main: { ...options.account } } },
      ...options.config,
    },
    env: () => ({
      ASCENT_CONFIG: "ascent.yaml",
      ASCENT_MODEL: "compatible:test",
      OPENAI_BASE_URL: model.baseURL,
      OPENAI_API_KEY: "sk-of-the-tests",
      WHATSAPP_TOKEN: platform.token,
      WHATSAPP_PHONE_NUMBER_ID: platform.phoneNumberId,
      WHATSAPP_APP_SECRET: platform.appSecret,
      WHATSAPP_VERIFY_TOKEN: platform.verifyToken,
      WHATSAPP_API_ROOT: platform.url,
    }),
  });
  onTestFailed(() => console.error(["the gateway's log ends:", gateway.tail()].join("\n")));
  onTestFinished(async () => {
    await gateway.close();
    await Promise.all([platform.close(), model.close()]);
  });
  await gateway.start();
  const webhook = `${gateway.url}/webhooks/whatsapp`;
  const { answered } = await platform.register(webhook);
  if (!answered) throw new Error("the webhook could not be registered");
  return { platform, model, gateway, webhook };
}

/** What the number said in a chat, in words. */
export function said({ platform }: WhatsAppStage, chat: string): string[] {
  return platform.said(chat).map((call) => platform.textOf(call));
}

/** Waits until the chat has so many messages of the number's. */
export async function untilSaid(stage: WhatsAppStage, chat: string, count: number, mostMs = 20_000): Promise<string[]> {
  await eventually(
    `${count} messages in ${chat}, not ${said(stage, chat).length}`,
    () => said(stage, chat).length >= count,
    mostMs,
  );
  return said(stage, chat);
}

/** What it said without what came again since it was in flight at a kill: Meta knows no idempotency key. */
export function saidOnce({ platform, gateway }: WhatsAppStage, chat: string): string[] {
  const sent = platform.said(chat).map((call) => ({ text: platform.textOf(call), at: call.acceptedAt ?? 0 }));
  return withoutRepeats(sent, gateway.kills).map(({ text }) => text);
}

/** Everything wrong with a run, one line each: I1 to I7 of the promise, and what the gateway printed. */
export function wrongWith({ platform, model, gateway }: WhatsAppStage, excused = new Map<string, string>()): string[] {
  const inbound = platform.inbound.flatMap(({ text, chat, deliveredAt, confirmedAt }): Inbound[] => {
    const [token] = tokensIn(text ?? "");
    if (token === undefined) return [];
    const base = { token, conversation: chat, arrivedAt: deliveredAt[0] ?? Infinity };
    return [confirmedAt === undefined ? base : { ...base, acknowledgedAt: confirmedAt }];
  });
  const outbound = platform.calls.flatMap((call): Outbound[] =>
    call.accepted && call.operation === "message"
      ? [{ conversation: call.chat ?? "", text: platform.textOf(call), at: call.acceptedAt ?? 0 }]
      : [],
  );
  const flying = outbound.filter(({ at }) => gateway.kills.some((kill) => isInFlight(at, kill))).length;
  const report = checkInvariants(inbound, outbound, { excused, duplicates: flying });
  const lost = inbound.filter(({ acknowledgedAt }) => acknowledgedAt === undefined);
  const output = gateway.output();
  const secrets = [platform.token, platform.appSecret, platform.verifyToken].filter((secret) =>
    output.includes(secret),
  );
  const [leak] = tokensIn(output);
  return [
    ...[...report.violations, ...checkModelRequests(model.log)].map(
      ({ invariant, detail }) => `${invariant} ${detail}`,
    ),
    ...lost.map(({ token }) => `I6 ${token} was never acknowledged`),
    ...secrets.map(() => "the gateway's output holds a secret"),
    ...(leak === undefined ? [] : [`the gateway's output holds message text (${leak})`]),
  ];
}
