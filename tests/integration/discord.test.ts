/** Discord end to end: the real gateway process and discord.js against a Discord on loopback. */
import { describe, expect, test } from "vitest";
import { offered } from "../../src/commands.ts";
import { componentsOf } from "../fakes/discord/people.ts";
import { openDiscord, said, texts, untilAnswered, wrongWith } from "./discord-stage.ts";
import { eventually } from "./stage.ts";

const words = (count: number) => Array.from({ length: count }, (_, n) => `word${n}`).join(" ");

describe("a direct chat", () => {
  test("is answered once, in order, with the answer growing in a message that becomes it", async () => {
    const stage = await openDiscord();
    const { discord, model } = stage;
    await model.rule({ contains: "slowly", reply: { text: `well, m-ann-1: ${words(60)}`, tokensPerSecond: 15 } });
    const ann = discord.person("ann");
    const chat = ann.direct();
    ann.says(chat, "slowly please m-ann-1");
    await untilAnswered(stage, [chat]);
    const [answer] = said(stage, chat);
    expect(answer?.content).toBe(`well, m-ann-1: ${words(60)}`);
    expect(answer?.before.length).toBeGreaterThan(1);
    expect(answer?.before.every((draft) => draft.endsWith("▌") || draft === "")).toBe(true);
    expect(discord.requests.some(({ path }) => path.endsWith("/typing"))).toBe(true);

    for (const n of [2, 3, 4]) ann.says(chat, `hello m-ann-${n}`);
    await untilAnswered(stage, [chat]);
    expect(wrongWith(stage, [chat])).toEqual([]);
  });

  test("carries media both ways, and the same dispatch twice is answered once", async () => {
    const stage = await openDiscord({ agent: { vision: true } });
    const { discord, model } = stage;
    const bytes = Buffer.from("89504e470d0a1a0a", "hex");
    let seen = false;
    model.script(({ body }) => void (seen ||= JSON.stringify(body).includes(bytes.toString("base64"))));
    const file = { name: "answer.txt", type: "text/plain", content: "the file", encoding: "text", caption: null };
    await model.rule({ contains: "a file", times: 1, reply: { toolCalls: [{ name: "send_file", arguments: file }] } });
    const ann = discord.person("ann");
    const chat = ann.direct();
    const message = ann.says(chat, "a file m-ann-1", { files: [{ name: "in.png", bytes, type: "image/png" }] });
    await untilAnswered(stage, [chat]);
    const files = said(stage, chat).flatMap(({ attachments }) => attachments);
    expect(files.map(({ filename, bytes: sent }) => [filename, sent.toString()])).toEqual([["answer.txt", "the file"]]);
    expect(seen, "the model gets the picture").toBe(true);

    discord.redeliver(message.id);
    discord.redeliver(message.id);
    ann.says(chat, "and now m-ann-2");
    await untilAnswered(stage, [chat]);
    expect(wrongWith(stage, [chat])).toEqual([]);
  });

  test("has buttons whose press is answered, and an edit during the turn is what gets answered", async () => {
    const stage = await openDiscord();
    const { discord, model } = stage;
    const choices = { question: "Which?", choices: ["Tea", "Coffee"] };
    await model.rule({
      contains: "offer",
      times: 1,
      reply: { toolCalls: [{ name: "offer_choices", arguments: choices }] },
    });
    await model.rule({ contains: "typo", times: 1, reply: { latencyMs: 3_000 } });
    const ann = discord.person("ann");
    const chat = ann.direct();
    ann.says(chat, "offer m-ann-1");
    await untilAnswered(stage, [chat]);
    const [asked] = said(stage, chat);
    expect(asked === undefined ? [] : componentsOf(asked).map(({ label }) => label)).toEqual(["Tea", "Coffee"]);
    const press = await ann.presses(asked?.id ?? "", "Coffee");
    await eventually("the press is answered", () => texts(stage, chat).some((text) => text.includes("Coffee")));
    expect(press.response).toBe(6);

    const sent = ann.says(chat, "typo m-ann-2");
    await eventually("the turn runs", () => model.log.some(({ tokens }) => tokens.includes("m-ann-2")));
    ann.edits(sent.id, "corrected m-ann-2");
    await untilAnswered(stage, [chat]);
    expect(texts(stage, chat).at(-1)).toBe("answer to: corrected m-ann-2");
    expect(wrongWith(stage, [chat])).toEqual([]);
  });
});

describe("a server", () => {
  test("is answered where the bot is named or replied to, in channels, threads and posts; nobody is notified", async () => {
    const stage = await openDiscord({ contentAllowed: false });
    const { discord, model } = stage;
    await model.rule({ contains: "shout", reply: { text: "m-general-1 @everyone <@1> @here" } });
    // A reply comes with the words that it replies to.
    await model.rule({ contains: "really", reply: { text: "yes, m-general-2" } });
    const ann = discord.person("ann");
    const channel = discord.channel("general");
    const post = discord.thread(discord.forum("help"), "A question");
    ann.says(channel, "talking among ourselves");
    const asked = ann.says(channel, `<@${discord.me}> shout m-general-1`);
    discord.botSays(channel, `<@${discord.me}> I am a bot too`);
    await untilAnswered(stage, [channel]);
    const [answer] = said(stage, channel);
    expect(answer?.message_reference?.message_id).toBe(asked.id);

    ann.says(channel, "really? m-general-2", { replyTo: answer?.id ?? "" });
    ann.says(post, `<@${discord.me}> in here m-post-1`, { id: post });
    await untilAnswered(stage, [channel, post]);
    expect(texts(stage, channel)).toHaveLength(2);
    expect(texts(stage, post)).toEqual([expect.stringContaining("in here m-post-1")]);
    expect(wrongWith(stage, [channel, post])).toEqual([]);
  });

  test("is answered always where the settings say so; without the intent that needs, doctor says what to allow", async () => {
    const stage = await openDiscord({ account: { groups: "always" } });
    const { discord, gateway } = stage;
    const channel = discord.channel("general");
    discord.person("ann").says(channel, "anybody? m-general-1");
    await untilAnswered(stage, [channel]);
    expect(wrongWith(stage, [channel])).toEqual([]);
    expect((await gateway.ascent("doctor")).out).toContain("the Message Content Intent is allowed");

    const blind = await openDiscord({ account: { groups: "always", messageContent: false } });
    expect((await blind.gateway.ascent("doctor")).out).toContain("groups is always, and messageContent is false");

    const refused = await openDiscord({ contentAllowed: false, account: { messageContent: true } });
    await eventually("it says why", () => refused.gateway.output().includes("allow the Message Content Intent"));
    expect((await refused.gateway.ascent("doctor")).out).toContain("Allow the Message Content Intent");
  });
});

test("another bot is answered where bots are", async () => {
  const stage = await openDiscord({ account: { bots: true } });
  const { discord } = stage;
  const channel = discord.channel("general");
  discord.botSays(channel, `<@${discord.me}> beep m-bot-1`);
  await untilAnswered(stage, [channel]);
  expect(wrongWith(stage, [channel])).toEqual([]);
});

describe.each(["gateway", "webhook"] as const)("commands by %s", (by) => {
  test("that /stop sets aside stop showing that the bot is thinking, also when the gateway was killed meanwhile", async () => {
    const stage = await openDiscord({ webhook: by === "webhook" });
    const { discord, model, gateway } = stage;
    model.script((prompt) => (prompt.turn.join().includes("wait") ? { latencyMs: 15_000 } : {}));
    const ann = discord.person("ann");
    for (const [at, typed] of [true, false].entries()) {
      const chat = at === 0 ? ann.direct() : discord.channel("general");
      await ann.command(chat, "ask", { message: `wait m-${at}-1` });
      await eventually("the turn runs", () => model.log.some(({ tokens }) => tokens.includes(`m-${at}-1`)));
      await ann.command(chat, "ask", { message: `and wait m-${at}-2` });
      await eventually("both are deferred", () => discord.messages(chat).length === 2);
      if (at === 0) {
        await gateway.kill();
        await gateway.start();
      }
      if (typed) ann.says(chat, "/stop");
      else await ann.command(chat, "stop");
      await eventually("it is stopped", () => texts(stage, chat).length === 1);
      const own = () => discord.messages(chat).filter(({ author }) => author.id === discord.me);
      await eventually("nothing is left", () => own().length === 1);
      await ann.command(chat, "ask", { message: `hello m-${at}-3` });
      await eventually("the next is answered", () => texts(stage, chat).length === 2);
      expect(texts(stage, chat)[1]).toContain(`m-${at}-3`);
      expect(own()).toHaveLength(2);
    }
  });

  test("of people who may not write are refused at once, for their eyes only", async () => {
    const stage = await openDiscord({ webhook: by === "webhook", account: { access: "allowlist" } });
    const { discord, gateway } = stage;
    const ann = discord.person("ann");
    const asked = await ann.command(ann.direct(), "ask", { message: "may I?" });
    await eventually("it is refused", () => asked.response === 4);
    expect(asked.data).toMatchObject({ flags: 64, content: expect.stringMatching(/\w/) });
    expect(texts(stage, ann.direct())).toEqual([]);
    expect((await gateway.ascent("journal")).out).toContain("not allowed");
  });

  test(
    "are acknowledged within three seconds and answered by an edit of what that shows",
    { timeout: 60_000 },
    async () => {
      const stage = await openDiscord({ webhook: by === "webhook" });
      const { discord, model } = stage;
      await model.rule({ contains: "long", reply: { latencyMs: 4_000 } });
      const ann = discord.person("ann");
      const channel = discord.channel("general");
      const hears = (words: string) => texts(stage, channel).some((text) => text.includes(words));
      await eventually("the commands are registered", () => discord.commands().length === 1 + offered.length);
      const asked = await ann.command(channel, "ask", { message: "a long one m-ask-1" });
      await eventually("it is deferred", () => asked.response === 5, 3_000);
      expect((asked.respondedAt ?? Infinity) - asked.at).toBeLessThan(3_000);
      await eventually("it is answered", () => hears("a long one m-ask-1"));
      expect(said(stage, channel)[0]?.interaction).toBe(asked.id);

      const empty = await ann.command(channel, "ask");
      await eventually("a form opens", () => empty.response === 9);
      const { custom_id: form } = empty.data as { custom_id: string };
      await ann.submits(channel, form, "from a form m-ask-2");
      await eventually("the form is answered", () => hears("from a form m-ask-2"));

      const help = await ann.command(ann.direct(), "help");
      await eventually("help is shown", () => texts(stage, ann.direct()).length === 1);
      expect(help.response).toBe(5);
      expect(wrongWith(stage, [channel])).toEqual([]);
    },
  );
});
