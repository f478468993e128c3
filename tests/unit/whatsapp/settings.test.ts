import { expect, it } from "vitest";
import { whatsappSettings } from "../../../channels/whatsapp/settings.ts";
import { challengeOf, verify } from "../../../channels/whatsapp/verify.ts";
import { withEnvironment } from "../../../src/main/environment.ts";
import { settings } from "../../../src/main/settings.ts";

const good = { token: "EAA", phoneNumberId: "106540352242922", appSecret: "0123", verifyToken: "agreed" };

it.each([
  ["token", "WHATSAPP_TOKEN"],
  ["phoneNumberId", "WHATSAPP_PHONE_NUMBER_ID"],
  ["appSecret", "WHATSAPP_APP_SECRET"],
  ["verifyToken", "WHATSAPP_VERIFY_TOKEN"],
] as const)("a missing or empty %s is refused at its place with the next step", (name, variable) => {
  const { [name]: _left, ...rest } = good;
  for (const given of [rest, { ...rest, [name]: "" }]) {
    const parsed = settings.safeParse({ channels: { whatsapp: { main: given } } });
    expect(parsed.error?.issues).toMatchObject([{ path: ["channels", "whatsapp", "main", name] }]);
    expect(parsed.error?.issues[0]?.message).toMatch(/^is not set: .+/);
  }
  if (variable === "WHATSAPP_PHONE_NUMBER_ID") return;
  expect(withEnvironment({}, { [variable]: " " }).problems).toEqual([
    expect.stringContaining(`${variable} is set but empty`),
  ]);
});

it("the number itself is no phone number's id", () => {
  const parsed = whatsappSettings.safeParse({ ...good, phoneNumberId: "+1 555 078 3881" });
  expect(parsed.error?.issues[0]?.message).toContain("is no id");
});

it("the handshake is answered to the agreed token alone", () => {
  const asked = (query: string) => challengeOf(new URL(`https://example.org/webhooks/whatsapp?${query}`), "agreed");
  expect(asked("hub.mode=subscribe&hub.verify_token=agreed&hub.challenge=77")).toBe("77");
  for (const query of [
    "hub.mode=subscribe&hub.verify_token=guessed&hub.challenge=77",
    "hub.verify_token=agreed&hub.challenge=77",
    "",
  ])
    expect(asked(query)).toBeUndefined();
});

it("a signature is that of the very bytes", () => {
  // HMAC-SHA256 of the bytes under the key "key", as any other program computes it.
  const body = Buffer.from("The quick brown fox jumps over the lazy dog");
  const signature = "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
  const headers = (value: string) => new Headers({ "x-hub-signature-256": value });
  expect(verify(headers(signature), body, "key")).toBe(true);
  expect(verify(headers(signature), body, "other")).toBe(false);
  expect(verify(headers(signature), Buffer.concat([body, Buffer.from(" ")]), "key")).toBe(false);
  expect(verify(headers(signature), body, "")).toBe(false);
});
