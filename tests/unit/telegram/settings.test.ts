import { describe, expect, it } from "vitest";
import { telegramSettings } from "../../../channels/telegram/settings.ts";
import { verify } from "../../../channels/telegram/verify.ts";

const hook = { token: "5:x", webhookUrl: "https://example.org/webhooks/telegram" };

describe("Telegram's settings", () => {
  it.each([undefined, "", "short", "with spaces in it, long enough"])(
    "refuse the webhook secret %j with what to take instead",
    (webhookSecret) => {
      const result = telegramSettings.safeParse(webhookSecret === undefined ? hook : { ...hook, webhookSecret });
      expect(result.error?.issues).toMatchObject([
        { path: ["webhookSecret"], message: expect.stringContaining(": take what") as string },
      ]);
    },
  );

  it("need no secret for polling", () => {
    expect(telegramSettings.parse({ token: "5:x", apiRoot: "http://127.0.0.1:1/" })).toMatchObject({
      apiRoot: "http://127.0.0.1:1",
      preview: true,
    });
  });
});

describe("the webhook's secret", () => {
  it("is never empty", () => {
    expect(verify(new Headers({ "x-telegram-bot-api-secret-token": "" }), "")).toBe(false);
    expect(verify(new Headers(), "")).toBe(false);
    expect(verify(new Headers({ "x-telegram-bot-api-secret-token": "right" }), "right")).toBe(true);
  });
});
