/** A stage for the real gateway: a Telegram and a model on loopback in this process, and the judgement of what they saw. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFailed, onTestFinished } from "vitest";
import {
  checkInvariants,
  checkModelRequests,
  telegramInbound,
  telegramOutbound,
  type Inbound,
  type Outbound,
  type Report,
} from "../fakes/invariants.ts";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import { startTelegramFake, type TelegramFake } from "../fakes/telegram.ts";
import { isAnswer, type CallEntry } from "../fakes/telegram/log.ts";
import type { RateLimit } from "../fakes/openai/limit.ts";
import type { RequestEntry } from "../fakes/openai/types.ts";
import { tokensIn } from "../fakes/tokens.ts";
import { createGateway, type GatewayProcess } from "./gateway-process.ts";
import { isInFlight, withoutRepeats } from "./repeats.ts";

/** What must never be seen in a log. The names say where each is used. */
export interface Secrets {
  readonly botToken: string;
  readonly apiKey: string;
  readonly telegramWebhook: string;
  readonly webhook: string;
}

export interface StageOptions {
  /** How Telegram's updates come in. */
  readonly by?: "polling" | "webhook";
  /** Laid over the stage's own ascent.yaml. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Turns on webhooks, the channel of other systems. */
  readonly webhooks?: boolean;
  /** Turns on the web chat, whose page is built where it is not. */
  readonly web?: boolean;
  readonly seed?: number;
  /** See {@link createGateway}. */
  readonly script?: string;
  readonly args?: readonly string[];
  /** What the model's provider takes. */
  readonly limit?: RateLimit;
}

export interface Stage {
  readonly platform: TelegramFake;
  readonly model: OpenAiFake;
  readonly gateway: GatewayProcess;
  readonly secrets: Secrets;
  /** Printed when the test fails. */
  note(line: string): void;
}

/** Builds the stage and starts the gateway. All of it ends with the test, and a failed test prints the gateway's log. */
export async function openStage(options: StageOptions = {}): Promise<Stage> {
  const secrets: Secrets = {
    botToken: `1000001:bot-canary-${randomBytes(12).toString("hex")}`,
    apiKey: `sk-canary-${randomBytes(12).toString("hex")}`,
    telegramWebhook: `canary-${randomBytes(12).toString("hex")}`,
    webhook: `whsec_${randomBytes(32).toString("base64")}`,
  };
  const platform = await startTelegramFake({
    bots: [{ token: secrets.botToken }],
    seed: options.seed ?? 1,
    webhookRetryUnitMs: 50,
    webhookTimeoutMs: 10_000,
  });
  const model = await startOpenAiFake({ apiKey: secrets.apiKey, models: ["test"] });
  model.limit(options.limit);
  const base = {
    channels: { web: { main: { enabled: options.web ?? false } } },
    models: { timeoutSeconds: 20, retries: 1 },
    server: { graceSeconds: 5 },
  };
  const { script, args = [] } = options;
  const gateway = await createGateway({
    args,
    ...(script !== undefined && { script }),
    config: { ...base, ...options.config },
    env: (url) => ({
      ASCENT_CONFIG: "ascent.yaml",
      ASCENT_MODEL: "compatible:test",
      OPENAI_BASE_URL: model.baseURL,
      OPENAI_API_KEY: secrets.apiKey,
      TELEGRAM_BOT_TOKEN: secrets.botToken,
      TELEGRAM_API_ROOT: platform.url,
      ...(options.by === "webhook"
        ? { TELEGRAM_WEBHOOK_URL: `${url}/webhooks/telegram`, TELEGRAM_WEBHOOK_SECRET: secrets.telegramWebhook }
        : {}),
      ...(options.webhooks === true ? { WEBHOOK_SECRET: secrets.webhook } : {}),
      ...options.env,
    }),
  });
  const notes: string[] = [];
  onTestFailed(() => console.error([...notes, "the gateway's log ends:", gateway.tail()].join("\n")));
  onTestFinished(async () => {
    await gateway.close();
    await Promise.all([platform.close(), model.close()]);
  });
  await gateway.start();
  return { platform, model, gateway, secrets, note: (line) => void notes.push(line) };
}

/** What a judgement needs to see of a run: both fakes, when something was killed, and all that the gateway printed. */
export interface Judged extends Pick<Stage, "platform" | "model" | "secrets"> {
  readonly gateway: Pick<GatewayProcess, "kills" | "output">;
  /** How long a send may be accepted by the platform and not yet recorded by the gateway; `usualRecordMs` unless given. */
  readonly recordMs?: number;
}

export interface Judgement {
  readonly report: Report;
  /** All that is wrong, one line each. */
  readonly wrong: readonly string[];
  /** For people. */
  readonly text: string;
}

export interface Allowed {
  /** Tokens that are set aside or dead-lettered, with why. */
  readonly excused?: ReadonlyMap<string, string>;
  /** Lines of the judgement that the test's own fault explains. */
  readonly except?: (line: string) => boolean;
}

/** What a document without a caption is known by is its name: the token may stand there. */
export function inboundOf({ platform }: Pick<Stage, "platform">): Inbound[] {
  return telegramInbound(
    platform.log.updates.map((update) => {
      const [token] = tokensIn(update.text ?? "");
      return token === undefined && update.kind === "message"
        ? { ...update, text: /"file_name":"([^"]*)"/.exec(update.body)?.[1] ?? "" }
        : update;
    }),
  );
}

export function outboundOf({ platform }: Pick<Stage, "platform">): Outbound[] {
  return telegramOutbound(platform.log.calls);
}

/** Sends that were in flight at a kill: on the wire or accepted, and their record not yet surely on disk. */
export function inFlight({
  platform,
  gateway,
  recordMs,
}: Pick<Judged, "platform" | "gateway" | "recordMs">): (CallEntry & { kill: number })[] {
  return gateway.kills.flatMap((kill) =>
    platform.log.calls.flatMap((call) =>
      isAnswer(call) && isInFlight(call.acceptedAt ?? 0, kill, recordMs) ? [{ ...call, kill }] : [],
    ),
  );
}

/** I1 to I5 and I7, and I6 in its strict form: all that was sent is acknowledged in the end. */
export function judge(stage: Judged, { excused = new Map() }: Allowed = {}): Judgement {
  const inbound = inboundOf(stage);
  const flying = inFlight(stage);
  const report = checkInvariants(inbound, outboundOf(stage), { excused, duplicates: flying.length });
  const lost = inbound.filter(({ acknowledgedAt }) => acknowledgedAt === undefined);
  const wrong = [
    ...report.violations.map(({ invariant, detail }) => `${invariant} ${detail}`),
    ...checkModelRequests(stage.model.log).map(({ invariant, detail }) => `${invariant} ${detail}`),
    ...lost.map(({ token }) => `I6 ${token} was never acknowledged`),
    ...unexplainedDuplicates(stage, flying),
    ...leaks(stage),
  ];
  const text = [report.text, `${stage.gateway.kills.length} kills, ${flying.length} sends in flight at them`].join(
    "\n",
  );
  return { report, wrong, text };
}

/** @throws with the whole judgement when anything is wrong with the run. `more`: what else was found to be wrong. */
export function expectKept(stage: Judged, allowed: Allowed & { readonly more?: readonly string[] } = {}): Judgement {
  const judgement = judge(stage, allowed);
  const wrong = [...judgement.wrong, ...(allowed.more ?? [])].filter((line) => allowed.except?.(line) !== true);
  if (wrong.length > 0) throw new Error([judgement.text, "What is wrong:", ...wrong.slice(0, 40)].join("\n"));
  return judgement;
}

/** I3, each one by itself: the copy before a repeated one was in flight at a kill in between. */
function unexplainedDuplicates(stage: Judged, flying: readonly (CallEntry & { kill: number })[]): string[] {
  const sends = stage.platform.log.calls.filter(isAnswer).filter(({ text }) => tokensIn(text).length > 0);
  const messages = Map.groupBy(sends, ({ chat, text }) => `${chat}\n${text}`);
  return [...messages.values()].flatMap((copies) =>
    copies.slice(1).flatMap((copy, at) => {
      const before = copies[at];
      if (before === undefined || before.messageId === copy.messageId) return [];
      const explained = flying.some(({ seq, kill }) => seq === before.seq && (copy.acceptedAt ?? 0) > kill);
      if (explained) return [];
      const sent = before.acceptedAt ?? 0;
      const kill = stage.gateway.kills.find((at) => at > sent);
      const when = kill === undefined ? "no kill after it" : `the next kill ${Math.round(kill - sent)} ms after it`;
      const again = Math.round((copy.acceptedAt ?? 0) - sent);
      return [`I3 ${JSON.stringify(copy.text.slice(0, 60))} was sent again after ${again} ms, ${when}`];
    }),
  );
}

/** Secrets and message text in the gateway's output. Every message of the tests carries a token. */
export function leaks({ gateway, secrets }: Pick<Judged, "gateway" | "secrets">, output = gateway.output()): string[] {
  const kinds = Object.entries(secrets) as [keyof Secrets, string][];
  const found: string[] = kinds
    .filter(([, secret]) => output.includes(secret.replace(/^\w+[_:]/, "")))
    .map(([kind]) => kind);
  const [token] = tokensIn(output);
  if (token !== undefined) found.push(`message text (${token})`);
  return found.map((what) => `the gateway's output holds the ${what}`);
}

/** Waits until every message is acknowledged and answered or excused, and nothing moves any more; at most `mostMs`. */
export async function untilQuiet(
  stage: Pick<Stage, "platform" | "model">,
  { mostMs = 45_000, excused = new Map() }: Allowed & { mostMs?: number } = {},
) {
  const until = performance.now() + mostMs;
  const open = () => {
    const answered = new Set(outboundOf(stage).flatMap(({ text }) => tokensIn(text)));
    return inboundOf(stage).filter(
      ({ token, acknowledgedAt }) => acknowledgedAt === undefined || !(answered.has(token) || excused.has(token)),
    );
  };
  for (let calm = 0, known = -1; calm < 4 && performance.now() < until; await sleep(150)) {
    const moved =
      stage.platform.log.calls.filter(({ method }) => method !== "getupdates").length + stage.model.log.length;
    const thinking = stage.model.log.some(({ endedAt }) => endedAt === undefined);
    calm = moved === known && !thinking && open().length === 0 ? calm + 1 : 0;
    known = moved;
  }
}

/** The bot's messages of a chat in their order, each once, as it last read. */
export function said({ platform }: Pick<Stage, "platform">, chat: number): string[] {
  return sentTo(platform, chat).map(({ text }) => text);
}

/** The same without what came again since it was in flight at a kill: Telegram knows no idempotency key. */
export function saidOnce(
  { platform, gateway, recordMs }: Pick<Judged, "platform" | "gateway" | "recordMs">,
  chat: number,
): string[] {
  return withoutRepeats(sentTo(platform, chat), gateway.kills, recordMs).map(({ text }) => text);
}

const sentTo = ({ log }: TelegramFake, chat: number) =>
  telegramOutbound(log.calls.filter((call) => call.chat === chat));

/** Requests of the model that were to answer this message: its runs. */
export function runsOf({ model }: Pick<Stage, "model">, own: string): readonly RequestEntry[] {
  return model.log.filter((request) => request.tokens.includes(own));
}

/** Resolves when `probe` gives something other than undefined or false. */
export async function eventually<Result>(
  what: string,
  probe: () => Result | undefined | false | Promise<Result | undefined | false>,
  mostMs = 15_000,
): Promise<Result> {
  const until = performance.now() + mostMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > until) throw new Error(`not within ${mostMs} ms: ${what}`);
    await sleep(20);
  }
}
