/** Several Telegram bots in one gateway: each is its own account, also for the same person. */
import { expect, onTestFinished, test } from "vitest";
import { startTelegramFake } from "../fakes/telegram.ts";
import { createGateway } from "./gateway-process.ts";

const person = 7_300_001;
const tokens = ["1000001:first-canary", "1000002:second-canary", "1000003:third-canary"] as const;

test("one whose webhook has no secret is named, and nothing starts", { timeout: 60_000 }, async () => {
  const gateway = await createGateway({
    config: {
      channels: {
        telegram: { main: { token: tokens[0] }, sales: { token: tokens[1], webhookUrl: "https://x.example/" } },
      },
    },
    env: () => ({}),
  });
  onTestFinished(() => gateway.close());
  await expect(gateway.start()).rejects.toThrow("channels.telegram.sales.webhookSecret");
});

test("a person talks to each of them, by polling and by webhook, and each answers", { timeout: 60_000 }, async () => {
  const fake = await startTelegramFake({ bots: tokens.map((token) => ({ token })), webhookRetryUnitMs: 50 });
  onTestFinished(() => fake.close());
  const webhookSecret = "0123456789abcdef-canary";
  const gateway = await createGateway({
    config: {
      channels: {
        web: { main: { enabled: false } },
        telegram: {
          main: { token: tokens[0], apiRoot: fake.url },
          sales: { token: tokens[1], apiRoot: fake.url, webhookUrl: "${URL}/webhooks/telegram/sales", webhookSecret },
          help: { token: tokens[2], apiRoot: fake.url },
        },
      },
    },
    env: (url) => ({ URL: url, LOG_LEVEL: "info" }),
  });
  onTestFinished(() => gateway.close());
  await gateway.start();
  const sums = ["what is 2*3?", "what is 3*7?", "what is 5*11?"];
  await Promise.all(
    tokens.map((token, at) =>
      fake
        .bot(token)
        .user(person)
        .sends(person, sums[at] ?? ""),
    ),
  );
  for (const [at, result] of ["6", "21", "55"].entries()) {
    const bot = Number(tokens[at]?.split(":")[0]);
    const said = async () =>
      (await fake.calls()).filter((call) => call.method === "sendmessage" && call.bot === bot).map(({ text }) => text);
    await expect.poll(said, { timeout: 15_000 }).toEqual([expect.stringContaining(result) as string]);
  }
  const { out } = await gateway.ascent("doctor");
  for (const account of ["main", "sales", "help"])
    expect(out).toMatch(new RegExp(`ok {4} telegram/${account}: .*token`));
  expect(gateway.output() + out).not.toContain("canary");
});
