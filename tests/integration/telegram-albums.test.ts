/** Albums of Telegram are one message, however they come and whatever dies meanwhile. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { telegram } from "../../channels/telegram/index.ts";
import { OverloadedError } from "../../src/errors.ts";
import type { InboundEvent } from "../../src/message.ts";
import { probe } from "../contract/channel-deps.ts";
import { startTelegramFake } from "../fakes/telegram.ts";
import { eventually, expectKept, openStage, runsOf, said, saidOnce, untilQuiet } from "./stage.ts";

const account = { tenant: "acme", channel: "telegram", account: "main" };
const person = 7_400_001;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const photo = (caption?: string) => ({ kind: "photo" as const, ...(caption === undefined ? {} : { caption }) });
const kinds = (event: InboundEvent | undefined) =>
  event !== undefined && "message" in event ? event.message.parts.map(({ kind }) => kind) : [];

/** A bot by webhook whose updates this test posts: records outlive it. */
async function hooked(records?: Map<string, unknown>) {
  const fake = await startTelegramFake();
  ends.push(() => fake.close());
  const seen = probe(account, records === undefined ? {} : { records });
  const [webhookUrl, webhookSecret] = ["http://127.0.0.1:9/", "0123456789abcdef"];
  const channel = telegram({ token: fake.token, apiRoot: fake.url, webhookUrl, webhookSecret }, seen.deps);
  const headers = { "x-telegram-bot-api-secret-token": webhookSecret };
  const post = async (update: object) =>
    (
      await channel.handle?.(
        new Request("https://x.example/", { method: "POST", headers, body: JSON.stringify(update) }),
      )
    )?.status;
  const connect = async () => {
    const end = new AbortController();
    ends.push(() => end.abort());
    await channel.connect?.(end.signal);
  };
  return { seen, post, connect };
}

const from = { id: person, is_bot: false, first_name: "Ada" };
function update(n: number, more: object, name: "message" | "edited_message" = "message", id = n) {
  const chat = { id: person, type: "private", first_name: "Ada" };
  return { update_id: n, [name]: { message_id: id, date: 1_790_000_000, chat, from, ...more } };
}
const item = (n: number, more: object = {}) =>
  update(n, {
    media_group_id: "9",
    photo: [{ file_id: `f${n}`, file_unique_id: `u${n}`, width: 1, height: 1 }],
    ...more,
  });

describe("an album", () => {
  it("that is polled is one message, before what came after it", async () => {
    const fake = await startTelegramFake();
    ends.push(() => fake.close());
    const seen = probe(account);
    const channel = telegram({ token: fake.token, apiRoot: fake.url, pollSeconds: 5 }, seen.deps);
    const end = new AbortController();
    ends.push(() => end.abort());
    await channel.connect?.(end.signal);
    const user = fake.user(person);
    await user.sendsAlbum(person, [photo("look"), photo(), photo()]);
    await user.sends(person, "what do you say?");
    await seen.waitFor("both", (events) => events.length === 2);
    expect(seen.accepted.map(kinds)).toEqual([["image", "image", "image", "text"], ["text"]]);
    await user.sendsAlbum(person, [photo(), photo("again")]);
    await seen.waitFor("the next, by itself", (events) => events.length === 3);
    expect(kinds(seen.accepted[2])).toEqual(["image", "image", "text"]);
    await expect
      .poll(async () => (await fake.updates()).every(({ confirmedAt }) => confirmedAt !== undefined))
      .toBe(true);
  });

  it("is taken by webhook one by one; what comes twice is the same, and what is late stands alone", async () => {
    const { seen, post } = await hooked();
    for (const n of [1, 2, 2]) expect(await post(item(n))).toBe(200);
    expect(seen.accepted).toEqual([]);
    await seen.waitFor("the album", (events) => events.length === 1);
    for (const n of [1, 2, 3]) expect(await post(item(n))).toBe(200);
    await sleep(1_300);
    expect(new Set(seen.accepted.map(({ id }) => id)).size).toBe(2);
    const [album] = seen.accepted;
    expect(seen.accepted.filter(({ id }) => id === album?.id).map(kinds)).toEqual(
      seen.accepted.filter(({ id }) => id === album?.id).map(() => ["image", "image"]),
    );
    expect(kinds(seen.accepted.find(({ id }) => id !== album?.id))).toEqual(["image"]);
  });

  it("whose process died before it was handed over is handed over by the next", async () => {
    const first = await hooked();
    for (const n of [1, 2]) await first.post(item(n));
    // As the dead one left it.
    const left = new Map(structuredClone([...first.seen.records]));
    const next = await hooked(left);
    await next.connect();
    expect(next.seen.accepted.map(kinds)).toEqual([["image", "image"]]);
    expect(JSON.stringify([...next.seen.records].find(([key]) => key.includes("albums")))).toContain('"open":[]');
  });

  it("has the command of its caption, as one photo alone has", async () => {
    const { seen, post } = await hooked();
    const caption = "/describe@ascent_test_bot these";
    const named = { caption, caption_entities: [{ type: "bot_command", offset: 0, length: 25 }] };
    for (const one of [item(1), item(2, named), item(3)]) await post(one);
    await seen.waitFor("the album", (events) => events.length === 1);
    await post(item(4, { ...named, media_group_id: undefined }));
    const command = { name: "describe", args: "these" };
    expect(seen.accepted.map((event) => ("message" in event ? event.message.command : undefined))).toEqual([
      command,
      command,
    ]);
    expect(seen.accepted.map(kinds)).toEqual([
      ["image", "image", "image", "text"],
      ["image", "text"],
    ]);
  });

  it("that the core does not take now is handed over later", async () => {
    const { seen, post } = await hooked();
    seen.refusals.push(new OverloadedError("full"));
    await post(item(1));
    await seen.waitFor("the album", (events) => events.length === 1);
    expect(seen.begun).toBe(2);
  });

  it("keeps its other media when one's words are edited", async () => {
    const { seen, post } = await hooked();
    const edit = (n: number, caption: string) => {
      const { message } = item(1) as unknown as { message: object };
      return update(n, { ...message, caption, edit_date: n }, "edited_message", 1);
    };
    await post(item(1, { caption: "a" }));
    await post(item(2));
    await post(edit(3, "b"));
    await seen.waitFor("the album", (events) => events.length === 1);
    expect(seen.accepted[0]).toMatchObject({ kind: "message", message: { parts: [{}, {}, { text: "b" }] } });
    await post(edit(4, "c"));
    expect(seen.accepted[1]).toMatchObject({
      kind: "edited",
      target: seen.accepted[0]?.id,
      message: { parts: [{ kind: "image" }, { kind: "image" }, { kind: "text", text: "c" }] },
    });
  });
});

describe.each(["polling", "webhook"] as const)("on the real gateway by %s", (by) => {
  it("albums are answered once each, through kills", { timeout: 90_000 }, async () => {
    const stage = await openStage({ by });
    const { platform, gateway } = stage;
    const tokens: string[] = [];
    for (let n = 1; n <= 4; n++) {
      const user = 7_410_000 + n;
      tokens.push(`m-${user}-1`);
      await platform.user(user).sendsAlbum(user, [photo(`see m-${user}-1`), photo(), photo()]);
      await sleep([0, 300, 900, 1_500][n - 1] ?? 0);
      await gateway.kill();
      await gateway.start();
    }
    const answered = () =>
      tokens.every((token, at) =>
        said(stage, 7_410_001 + at)
          .join()
          .includes(token),
      );
    await eventually("all are answered", answered, 40_000);
    await untilQuiet(stage);
    expectKept(stage);
    // Nobody is answered for a single picture of it.
    expect(tokens.map((_token, at) => saidOnce(stage, 7_410_001 + at))).toEqual(
      tokens.map((token) => [expect.stringContaining(token)]),
    );
    expect(tokens.every((token) => runsOf(stage, token).length > 0)).toBe(true);
  });
});
