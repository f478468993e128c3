/**
 * `ascent doctor` says of every credential that is missing or wrong what is so, in one sentence, and what to do: each line of
 * the tables is one run of the command, against fakes of the platforms.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { startDiscordFake } from "../fakes/discord.ts";
import { listen } from "../fakes/http.ts";
import { startOpenAiFake } from "../fakes/openai.ts";
import { startTelegramFake } from "../fakes/telegram.ts";
import { startWhatsAppFake } from "../fakes/whatsapp.ts";
import { createGateway, type GatewayProcess } from "./gateway-process.ts";

type Env = Readonly<Record<string, string | undefined>>;

const botToken = "1000001:the-right-token-of-the-bot";
const [telegram, discord, whatsapp, model, closed] = await Promise.all([
  startTelegramFake({ bots: [{ token: botToken }] }),
  startDiscordFake(),
  startWhatsAppFake(),
  startOpenAiFake({ apiKey: "sk-the-right-key", models: ["test"] }),
  listen(() => undefined),
]);
await closed.close();
afterAll(() => Promise.all([telegram, discord, whatsapp, model].map((fake) => fake.close())));

const good = {
  telegram: { TELEGRAM_BOT_TOKEN: botToken, TELEGRAM_API_ROOT: telegram.url },
  discord: { DISCORD_TOKEN: discord.token, DISCORD_API_ROOT: discord.apiRoot, DISCORD_PUBLIC_KEY: discord.publicKey },
  whatsapp: {
    WHATSAPP_TOKEN: whatsapp.token,
    WHATSAPP_PHONE_NUMBER_ID: whatsapp.phoneNumberId,
    WHATSAPP_APP_SECRET: whatsapp.appSecret,
    WHATSAPP_VERIFY_TOKEN: whatsapp.verifyToken,
    WHATSAPP_API_ROOT: whatsapp.url,
  },
  webhook: { WEBHOOK_SECRET: Buffer.alloc(32, "w").toString("base64") },
  openai: { ASCENT_API_KEYS: "sk-a-key-of-the-front-door" },
  model: { ASCENT_MODEL: "compatible:test", OPENAI_BASE_URL: model.baseURL, OPENAI_API_KEY: "sk-the-right-key" },
  web: { ASCENT_SECRET: "a-secret-of-32-characters-or-more" },
};
/** Other ways to use them. */
const other = {
  ...good,
  telegramWebhook: { ...good.telegram, TELEGRAM_WEBHOOK_URL: "https://chat.example.com/webhooks/telegram" },
  whatsappWeb: { WHATSAPP_WEB: "on" },
  openaiModel: { ASCENT_MODEL: "openai:test" },
};

const unset = undefined;
const dead = closed.url;
const emptyWords = [/is set but empty/, /^give it a value/] as const;

/** What else is set, the variable and its value, what is said, and the next step. */
const table: readonly [keyof typeof other, string, string | undefined, RegExp, RegExp][] = [
  ["telegram", "TELEGRAM_BOT_TOKEN", "", ...emptyWords],
  ["telegram", "TELEGRAM_BOT_TOKEN", unset, /is not set/, /^copy .* @BotFather/],
  ["telegram", "TELEGRAM_BOT_TOKEN", "my-bot", /is no bot's token/, /^copy .* @BotFather/],
  ["telegram", "TELEGRAM_BOT_TOKEN", "5:wrong-one", /was not accepted$/, /^Copy .* @BotFather/],
  ["telegram", "TELEGRAM_API_ROOT", dead, /no answer .*REFUSED/, /reaches TELEGRAM_API_ROOT/],
  ["telegramWebhook", "TELEGRAM_WEBHOOK_SECRET", "", ...emptyWords],
  ["telegramWebhook", "TELEGRAM_WEBHOOK_SECRET", unset, /is not set/, /^take .*openssl/],
  ["telegramWebhook", "TELEGRAM_WEBHOOK_SECRET", "brief", /must be 16 to 256/, /^take .*openssl/],

  ["discord", "DISCORD_TOKEN", "", ...emptyWords],
  ["discord", "DISCORD_TOKEN", unset, /is not set/, /^copy .* Bot page/],
  ["discord", "DISCORD_TOKEN", "Bot abc", /is no bot's token/, /^copy .* Bot page/],
  ["discord", "DISCORD_TOKEN", "a.wrong.token", /was not accepted$/, /^Take a new token .* Bot page/],
  ["discord", "DISCORD_API_ROOT", dead, /no answer .*REFUSED/, /reaches DISCORD_API_ROOT/],
  ["discord", "DISCORD_PUBLIC_KEY", "", ...emptyWords],
  ["discord", "DISCORD_PUBLIC_KEY", "no-key", /is no public key/, /^copy .* General page/],
  ["discord", "DISCORD_PUBLIC_KEY", "0".repeat(64), /is not this application's/, /^Copy .* General page/],

  ["whatsapp", "WHATSAPP_TOKEN", "", ...emptyWords],
  ["whatsapp", "WHATSAPP_TOKEN", unset, /is not set/, /^take a system user's/],
  ["whatsapp", "WHATSAPP_TOKEN", "EAA-wrong", /was not accepted$/, /^Put a system user's/],
  ["whatsapp", "WHATSAPP_PHONE_NUMBER_ID", "", /is not set/, /API Setup/],
  ["whatsapp", "WHATSAPP_PHONE_NUMBER_ID", unset, /is not set/, /API Setup/],
  ["whatsapp", "WHATSAPP_PHONE_NUMBER_ID", "+49 1", /is no id/, /API Setup/],
  ["whatsapp", "WHATSAPP_PHONE_NUMBER_ID", "123", /no such phone number's id/, /^Compare WHATSAPP_PHONE_NUMBER_ID/],
  ["whatsapp", "WHATSAPP_APP_SECRET", "", ...emptyWords],
  ["whatsapp", "WHATSAPP_APP_SECRET", unset, /is not set/, /^copy .* Basic/],
  ["whatsapp", "WHATSAPP_APP_SECRET", "another-app", /is not the secret of the app/, /^Copy .* Basic/],
  ["whatsapp", "WHATSAPP_VERIFY_TOKEN", "", ...emptyWords],
  ["whatsapp", "WHATSAPP_VERIFY_TOKEN", unset, /is not set/, /^choose/],
  ["whatsapp", "WHATSAPP_API_ROOT", dead, /no answer .*REFUSED/, /reaches WHATSAPP_API_ROOT/],
  ["whatsappWeb", "WHATSAPP_WEB", "yes", /WHATSAPP_WEB/, /^must be "on" or "off"/],
  ["whatsappWeb", "CHROMIUM_PATH", "/no/browser", /there is no browser$/, /CHROMIUM_PATH/],

  ["webhook", "WEBHOOK_SECRET", "", ...emptyWords],
  ["webhook", "WEBHOOK_SECRET", "no base64!", /is not valid/, /^take .*openssl/],
  ["webhook", "WEBHOOK_SECRET", "c2hvcnQ=", /could be guessed$/, /^Take .*openssl/],
  ["openai", "ASCENT_API_KEYS", "", ...emptyWords],
  ["openai", "ASCENT_API_KEYS", "brief", /is no valid key/, /^take .*openssl/],
  ["web", "ASCENT_SECRET", "", ...emptyWords],
  ["web", "ASCENT_SECRET", "brief", /needs 32 characters/, /^take .*openssl/],

  ["openaiModel", "OPENAI_API_KEY", unset, /needs a key/, /^set OPENAI_API_KEY/],
  ["model", "OPENAI_API_KEY", "sk-wrong-one", /refused the key/, /valid key into OPENAI_API_KEY/],
  ["model", "OPENAI_BASE_URL", dead, /no connection .*REFUSED/, /reaches it \(OPENAI_BASE_URL\)/],
];

type Told = Awaited<ReturnType<GatewayProcess["ascent"]>>;

async function doctor(env: Env, prepare: (data: string) => void = () => undefined): Promise<Told> {
  const given = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  const gateway = await createGateway({
    // Its page need not be built.
    config: { channels: { web: { main: { enabled: false } } } },
    env: () => ({ ASCENT_CONFIG: "ascent.yaml", ...Object.fromEntries(given) }),
  });
  try {
    prepare(gateway.data);
    return await gateway.ascent("doctor");
  } finally {
    await gateway.close();
  }
}

/** What is wrong and what to do, from a configuration that is refused or from the doctor's findings. */
function complaints({ code, out, err }: Told): [what: string, next: string][] {
  if (code === 2) {
    const lines = err.replace("The configuration is not valid:\n", "").trimEnd().split("\n");
    return lines.map((line) => [line.trim(), line.slice(line.lastIndexOf(": ") + 2)]);
  }
  const lines = out.split("\n");
  return lines.flatMap((line, at) =>
    line.startsWith("WRONG") ? [[line.slice(7), lines[at + 1]?.split("→ ")[1] ?? ""] as [string, string]] : [],
  );
}

function secretsIn({ out, err }: Told, env: Env): string[] {
  return Object.entries(env).flatMap(([name, value = ""]) =>
    /TOKEN|SECRET|KEY/.test(name) && value !== "" && (out + err).includes(value) ? [name] : [],
  );
}

describe.concurrent("one sentence and the next step", () => {
  test.each(table)("%s: %s=%s", async (others, name, value, what, next) => {
    const told = await doctor({ ...other[others], [name]: value });
    const [[said, advice] = ["", ""], ...more] = complaints(told);
    expect(more).toEqual([]);
    expect(said).toMatch(what);
    expect(said, "more than one sentence").not.toMatch(/[.!?] [A-Z]/);
    expect(advice).toMatch(next);
    expect(`${said} ${advice}`).toContain(name);
    expect(secretsIn(told, { [name]: value })).toEqual([]);
  });

  test("the web's own secret, where its file is damaged", async () => {
    const told = await doctor({}, (data) => {
      mkdirSync(data);
      writeFileSync(join(data, "secret"), "cut off");
    });
    expect(complaints(told)).toEqual([[expect.stringMatching(/secret is damaged: delete it/), expect.any(String)]]);
  });
});

test("every model of a list is looked at", async () => {
  const said = await doctor({ ...good.model, ASCENT_MODEL: "compatible:test, compatible:nope" });
  expect(said.out).toMatch(/ok     agent assistant: compatible:test: .* has it/);
  expect(complaints(said)).toEqual([[expect.stringContaining("compatible:nope: "), "It has test."]]);
});

test("good credentials are good, and a channel without any is off", async () => {
  const all = await doctor(Object.assign({}, ...Object.values(good)) as Env);
  expect(complaints(all)).toEqual([]);
  expect(all).toMatchObject({ code: 0, err: "" });
  for (const channel of ["telegram", "discord", "whatsapp", "webhook", "openai"])
    expect(all.out).toContain(`ok     ${channel}/main: `);
  const none = await doctor({});
  expect(none.code).toBe(0);
  expect(none.out).not.toMatch(/telegram|discord|whatsapp|webhook\/|openai\//);
});
