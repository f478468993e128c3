/** Discord end to end when something fails: the connection, the gateway process, Discord's patience. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { discordToken, startDiscordFake } from "../fakes/discord.ts";
import { openDiscord, said, texts, untilAnswered, wrongWith } from "./discord-stage.ts";
import { createGateway } from "./gateway-process.ts";
import { eventually } from "./stage.ts";

describe("the connection", () => {
  test("is resumed after disconnects: what was sent meanwhile is answered once, in order", async () => {
    const stage = await openDiscord();
    const { discord } = stage;
    const ann = discord.person("ann");
    const chat = ann.direct();
    ann.says(chat, "hello m-ann-1");
    await untilAnswered(stage, [chat]);
    const lose = [
      () => discord.gateway.disconnect(),
      () => discord.gateway.disconnect(4000),
      discord.gateway.reconnect,
    ];
    for (const [n, away] of lose.entries()) {
      const { resumed } = discord.gateway.counts;
      away();
      for (const at of [0, 1, 2]) ann.says(chat, `meanwhile m-ann-${2 + n * 3 + at}`);
      await eventually("the session is resumed", () => discord.gateway.counts.resumed > resumed);
    }
    await untilAnswered(stage, [chat]);
    expect(discord.gateway.counts.identified).toBe(1);
    expect(wrongWith(stage, [chat])).toEqual([]);
  });

  test("was away when people edited: what waits is answered as it reads now, and an edit that was seen starts nothing", async () => {
    const stage = await openDiscord();
    const { discord, gateway, model } = stage;
    model.script(({ turn }) => (turn.join().includes("typo") ? { latencyMs: 10_000 } : {}));
    const ann = discord.person("ann");
    const chats = [ann.direct(), discord.channel("general")];
    const asks = (chat: string, words: string) =>
      ann.says(chat, chat === chats[0] ? words : `<@${discord.me}> ${words}`);
    for (const [at, chat] of chats.entries()) {
      const early = asks(chat, `early m-${at}-1`);
      await untilAnswered(stage, [chat]);
      ann.edits(early.id, early.content.replace("early", "seen"));
    }
    const typos = chats.map((chat, at) => asks(chat, `typo m-${at}-2`));
    await eventually("the turns run", () =>
      typos.every((_, at) => model.log.some(({ tokens }) => tokens.includes(`m-${at}-2`))),
    );
    await gateway.kill();
    for (const { id, content } of typos) ann.edits(id, content.replace("typo", "mended"));
    await gateway.start();
    await untilAnswered(stage, chats);
    chats.forEach((chat, at) => {
      const words = texts(stage, chat).map((text) => /\w+ m-\S+$/.exec(text)?.[0]);
      expect(words).toEqual([`early m-${at}-1`, `mended m-${at}-2`]);
    });
    const runs = model.log.length;
    await gateway.terminate();
    await gateway.start();
    await sleep(1_500);
    expect(model.log).toHaveLength(runs);
    expect(wrongWith(stage, chats)).toEqual([]);
  });

  test("begins anew where the session is gone: what was missed is fetched from the history", async () => {
    const stage = await openDiscord();
    const { discord } = stage;
    const ann = discord.person("ann");
    const chat = ann.direct();
    const channel = discord.channel("general");
    ann.says(chat, "hello m-ann-1");
    await untilAnswered(stage, [chat]);
    discord.gateway.forgetSessions();
    discord.gateway.disconnect();
    for (const n of [2, 3, 4]) {
      ann.says(chat, `meanwhile m-ann-${n}`);
      ann.says(channel, `<@${discord.me}> meanwhile m-general-${n}`);
    }
    await untilAnswered(stage, [chat, channel]);
    expect(discord.gateway.counts.identified).toBe(2);
    expect(wrongWith(stage, [chat, channel])).toEqual([]);
  });
});

describe("kill -9", () => {
  test(
    "and what is sent before the next start is fetched and answered once, in order, everywhere",
    { timeout: 90_000 },
    async () => {
      const stage = await openDiscord();
      const { discord, gateway } = stage;
      const people = ["ann", "bob", "eve"].map((name) => discord.person(name));
      const chats = people.map((person) => person.direct());
      const channel = discord.channel("general");
      const thread = discord.thread(channel, "plans");
      let n = 0;
      const all = (words: string) => {
        n += 1;
        for (const [at, person] of people.entries()) person.says(chats[at] ?? "", `${words} m-${person.name}-${n}`);
        people[0]?.says(channel, `<@${discord.me}> ${words} m-general-${n}`);
        people[1]?.says(thread, `<@${discord.me}> ${words} m-thread-${n}`);
      };
      const everywhere = [...chats, channel, thread];
      all("hello");
      await untilAnswered(stage, everywhere);
      for (let kill = 0; kill < 3; kill++) {
        all("just before");
        if (kill > 0) await sleep(kill * 60);
        await gateway.kill();
        // More than one page of history, most of it not for the bot.
        for (let at = 0; at < 120; at++) people[2]?.says(channel, `chatter ${at}`);
        for (const when of ["first", "second"]) all(`while it was down, ${when},`);
        const post = discord.thread(discord.forum(`forum ${kill}`), "A question");
        people[2]?.says(post, `<@${discord.me}> a new post m-post${kill}-1`, { id: post });
        everywhere.push(post);
        await gateway.start();
        await untilAnswered(stage, everywhere);
      }
      expect(wrongWith(stage, everywhere)).toEqual([]);
    },
  );

  test("after Discord took the answer: it is found again, also when its nonce is forgotten", async () => {
    const stage = await openDiscord({ nonceMs: 0, account: { preview: false } });
    const { discord, gateway } = stage;
    const ann = discord.person("ann");
    const chat = ann.direct();
    ann.says(chat, "hello m-ann-1");
    await untilAnswered(stage, [chat]);
    for (const n of [2, 3, 4]) {
      discord.fault({ kind: "accepted then close", method: "POST", path: `/channels/${chat}/messages` });
      ann.says(chat, `question m-ann-${n}`);
      await eventually("Discord took it", () => texts(stage, chat).some((text) => text.includes(`m-ann-${n}`)));
      if (n > 2) await gateway.kill();
      if (n > 2) await gateway.start();
    }
    await untilAnswered(stage, [chat]);
    expect(wrongWith(stage, [chat])).toEqual([]);
  });

  test("while an answer grows: its draft does not stay", async () => {
    const stage = await openDiscord();
    const { discord, gateway, model } = stage;
    const text = `well, m-ann-1: ${Array.from({ length: 80 }, (_, n) => `word${n}`).join(" ")}`;
    await model.rule({ contains: "slowly", reply: { text, tokensPerSecond: 20 } });
    const ann = discord.person("ann");
    const chat = ann.direct();
    ann.says(chat, "slowly please m-ann-1");
    await eventually("a draft is there", () => discord.messages(chat).some(({ content }) => content.endsWith("▌")));
    await gateway.kill();
    await gateway.start();
    await untilAnswered(stage, [chat]);
    expect(texts(stage, chat)).toEqual([text]);
    expect(wrongWith(stage, [chat])).toEqual([]);
  });
});

describe("Discord's limits", () => {
  test("are waited for as told: one channel's answer waits, others go on", async () => {
    const stage = await openDiscord({ account: { preview: false } });
    const { discord } = stage;
    const [ann, bob] = [discord.person("ann"), discord.person("bob")];
    const [one, other] = [ann.direct(), bob.direct()];
    discord.fault({ kind: "rate", retryAfter: 3, method: "POST", path: `/channels/${one}/messages` });
    ann.says(one, "hello m-ann-1");
    await eventually("the limit is hit", () => discord.requests.some(({ status }) => status === 429));
    const at = performance.now();
    bob.says(other, "hello m-bob-1");
    await eventually("the other is answered", () => texts(stage, other).length === 1);
    expect(performance.now() - at).toBeLessThan(2_500);
    await untilAnswered(stage, [one, other]);
    expect((said(stage, one)[0]?.at ?? 0) - at).toBeGreaterThan(2_500);
    expect(wrongWith(stage, [one, other])).toEqual([]);
  });

  test(
    "of a channel are kept without hitting them: five messages in five seconds, all in order",
    { timeout: 60_000 },
    async () => {
      const stage = await openDiscord({ perFiveSeconds: 5, account: { preview: false } });
      const { discord, model } = stage;
      const ann = discord.person("ann");
      const chat = ann.direct();
      const page = (n: number) => `page ${n} ${"word ".repeat(380)}`;
      await model.rule({
        contains: "a lot",
        reply: { text: [`m-ann-1`, ...Array.from({ length: 8 }, (_, n) => page(n))].join("\n\n") },
      });
      ann.says(chat, "a lot m-ann-1");
      await eventually("all pages are there", () => said(stage, chat).length === 8, 20_000);
      expect(said(stage, chat).map(({ content }) => /page (\d)/.exec(content)?.[1])).toEqual(
        Array.from({ length: 8 }, (_, n) => String(n)),
      );
      expect(discord.requests.filter(({ status }) => status === 429)).toEqual([]);
      expect(wrongWith(stage, [chat])).toEqual([]);
    },
  );

  test("of the whole bot hold up every channel", async () => {
    const stage = await openDiscord({ account: { preview: false } });
    const { discord } = stage;
    const [ann, bob] = [discord.person("ann"), discord.person("bob")];
    const [one, other] = [ann.direct(), bob.direct()];
    discord.fault({ kind: "rate", retryAfter: 2, global: true, method: "POST", path: `/channels/${one}/messages` });
    ann.says(one, "hello m-ann-1");
    await eventually("the limit is hit", () => discord.requests.some(({ status }) => status === 429));
    const at = performance.now();
    bob.says(other, "hello m-bob-1");
    await untilAnswered(stage, [one, other]);
    expect((said(stage, other)[0]?.at ?? 0) - at).toBeGreaterThan(1_500);
    expect(wrongWith(stage, [one, other])).toEqual([]);
  });
});

describe("SIGTERM", () => {
  test("lets the running turn end, and the next start begins where this one stopped", async () => {
    const stage = await openDiscord();
    const { discord, gateway, model } = stage;
    await model.rule({ contains: "slow", times: 1, reply: { latencyMs: 1_500 } });
    const ann = discord.person("ann");
    const chat = ann.direct();
    ann.says(chat, "slow m-ann-1");
    await eventually("the turn runs", () => model.log.length === 1);
    const exit = await gateway.terminate();
    expect(exit).toMatchObject({ code: 0, signal: null });
    expect(exit.ms).toBeLessThan(5_500);
    expect(discord.gateway.connected()).toBe(0);
    ann.says(chat, "meanwhile m-ann-2");
    await gateway.start();
    await untilAnswered(stage, [chat]);
    expect(wrongWith(stage, [chat])).toEqual([]);
  });
});

describe("settings", () => {
  test("that are empty stop the start and say which; a token that Discord refuses leaves the channel off", async () => {
    const empty = await createGateway({ env: () => ({ DISCORD_TOKEN: "" }) });
    onTestFinished(empty.close);
    await expect(empty.start()).rejects.toThrow("DISCORD_TOKEN is set but empty");
    const key = await createGateway({ env: () => ({ DISCORD_TOKEN: discordToken, DISCORD_PUBLIC_KEY: "" }) });
    onTestFinished(key.close);
    await expect(key.start()).rejects.toThrow("DISCORD_PUBLIC_KEY is set but empty");

    const discord = await startDiscordFake();
    onTestFinished(discord.close);
    const config = { channels: { web: { main: { enabled: false } } } };
    const env = () => ({
      ASCENT_CONFIG: "ascent.yaml",
      DISCORD_TOKEN: "a.wrong.token",
      DISCORD_API_ROOT: discord.apiRoot,
    });
    const wrong = await createGateway({ env, config });
    onTestFinished(wrong.close);
    await wrong.start();
    await eventually("it says so", () => wrong.output().includes("Discord does not know the bot's token"));
    const { out } = await wrong.ascent("doctor");
    expect(out).toContain("the token was not accepted");
    expect(wrong.output() + out).not.toContain("a.wrong.token");
  });
});
