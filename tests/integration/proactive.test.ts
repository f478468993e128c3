/** The agent writes first, by the real gateway: on every platform within what it allows, once, and visibly where it does not. */
import { describe, expect, test } from "vitest";
import type { DeadLetter } from "../../src/ports.ts";
import type { OpenAiFake } from "../fakes/openai.ts";
import { token } from "../fakes/tokens.ts";
import { openDiscord, texts } from "./discord-stage.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { eventually, leaks, openStage, said } from "./stage.ts";
import { openWhatsAppStage, said as saidByWhatsApp, untilSaid } from "./whatsapp-stage.ts";

const ann = 7_200_001;
const team = -1_002_000_000_001;
const telegram = `telegram/main/${ann}`;

async function send(gateway: GatewayProcess, ...args: readonly string[]): Promise<string> {
  const { code, out, err } = await gateway.ascent("send", ...args);
  expect(err).toBe("");
  expect(code).toBe(0);
  return out;
}

async function refusal(gateway: GatewayProcess, ...args: readonly string[]): Promise<string> {
  const { code, err } = await gateway.ascent("send", ...args);
  expect(code).toBe(1);
  return err;
}

async function letters({ ascent }: GatewayProcess): Promise<readonly DeadLetter[]> {
  return JSON.parse((await ascent("deadletters", "list", "--json")).out) as DeadLetter[];
}

/** All that the model is given from now on, as JSON. */
function seenBy(model: OpenAiFake): readonly string[] {
  const prompts: string[] = [];
  model.script(({ body }) => void prompts.push(JSON.stringify(body)));
  return prompts;
}

const untilBuried = (gateway: GatewayProcess, count = 1) =>
  eventually(`${count} dead letters`, async () => {
    const found = await letters(gateway);
    return found.length >= count && found;
  });

describe("to Telegram", () => {
  test("words go out as they are, once however often they are asked for at once, and the agent remembers them", async () => {
    const stage = await openStage();
    const { platform, model, gateway } = stage;
    const one = token(ann, 1);
    const prompts = seenBy(model);
    await platform.user(ann).sends(ann, `hello ${one}`);
    await eventually("an answer", () => said(stage, ann).length === 1);
    const asked = ["--to", telegram, "--id", "monday", "The **shop** opens at nine m-1-50"];
    await Promise.all([send(gateway, ...asked), send(gateway, ...asked), send(gateway, ...asked)]);
    await eventually("the words", () => said(stage, ann).length === 2);
    await send(gateway, ...asked);
    await platform.user(ann).sends(ann, `when? ${token(ann, 2)}`);
    await eventually("the next answer", () => said(stage, ann).length >= 3);
    expect(said(stage, ann)).toHaveLength(3);
    expect(said(stage, ann)[1]).toBe("The shop opens at nine m-1-50");
    expect(prompts.at(-1)).toContain("opens at nine");
    expect(leaks(stage)).toEqual([]);
  });

  test("a note wakes the agent, in a direct chat and in a group, and what it writes replies to nothing", async () => {
    const stage = await openStage();
    const { platform, model, gateway } = stage;
    await platform.user(ann).sends(ann, "/start");
    await platform.user(ann).sends(team, "hello all");
    const prompts = seenBy(model);
    await model.rule({ contains: "plants", reply: { text: "Your plants are thirsty." } });
    await send(gateway, "--to", telegram, "--prompt", "--topic", "reminder", "water the plants");
    await send(gateway, "--to", `telegram/main/${team}`, "--group", "--prompt", "water the plants");
    for (const chat of [ann, team])
      await eventually(`a message in ${chat}`, () => said(stage, chat).includes("Your plants are thirsty."));
    const sends = platform.log.calls.filter(({ text }) => text === "Your plants are thirsty.");
    expect(sends.map(({ params }) => params["reply_parameters"])).toEqual([undefined, undefined]);
    expect(prompts[0]).toContain('[note {\\"topic\\":\\"reminder\\"}]\\nwater the plants\\n[end of note]');
  });

  test("what was accepted is sent once through kill -9, and what is accepted while none runs with the next start", async () => {
    const stage = await openStage();
    const { platform, model, gateway } = stage;
    await platform.user(ann).sends(ann, "/start");
    await eventually("the greeting", () => said(stage, ann).length === 1);
    await platform.fault({ method: "sendMessage", kind: "hang", times: 1 });
    await model.rule({ contains: "a task is done", reply: { text: "It is done.", latencyMs: 1_500 } });
    await send(gateway, "--to", telegram, "first of all");
    await eventually("the send hangs", () => platform.log.calls.some(({ text }) => text === "first of all"));
    await send(gateway, "--to", telegram, "--prompt", "a task is done");
    await eventually("the agent is at it", () => model.log.length === 1);
    await gateway.kill();
    expect(await send(gateway, "--to", telegram, "and at last")).toContain("No gateway runs here");
    await gateway.start();
    await eventually("all of it", () => said(stage, ann).length >= 4);
    const [, ...words] = said(stage, ann);
    expect(words.toSorted()).toEqual(["It is done.", "and at last", "first of all"]);
    expect(words[0]).toBe("first of all");
    expect(await letters(gateway)).toEqual([]);
  });

  test("where the bot may not write, the dead letter says what to do, and nobody is tried again", async () => {
    const stage = await openStage();
    const { platform, gateway } = stage;
    await platform.user(ann).sends(ann, "/start");
    await eventually("the greeting", () => said(stage, ann).length === 1);
    for (const [description, next] of [
      ["Forbidden: bot can't initiate conversation with a user", /press Start/],
      ["Forbidden: bot was blocked by the user", /has blocked the bot/],
    ] as const) {
      const before = (await letters(gateway)).length;
      await platform.fault({ method: "sendMessage", kind: "error", code: 403, description, times: 1 });
      const out = await send(gateway, "--to", telegram, "is anybody there?");
      const [letter] = await untilBuried(gateway, before + 1);
      expect(letter?.reason).toMatch(next);
      expect(out).toContain(letter?.event.subject);
    }
    await send(gateway, "--to", "telegram/main/7209999", "who are you?");
    const [unknown] = await untilBuried(gateway, 3);
    expect(unknown?.reason).toMatch(/chat not found|no such chat/);
    const tried = platform.log.calls.filter(({ method }) => method === "sendmessage").length;
    expect(tried).toBe(4);
  });

  test("what can never be sent is refused at once, in words that say what to do", async () => {
    const config = { channels: { web: { main: { enabled: false } }, telegram: { main: { block: [String(ann)] } } } };
    const { gateway } = await openStage({
      config,
      webhooks: true,
      env: { ASCENT_API_KEYS: "sk-0123456789abcdef012345" },
    });
    expect(await refusal(gateway, "--to", telegram, "hi")).toMatch(/blocks 7200001.*`block`/);
    expect(await refusal(gateway, "--to", "telegram/other/1", "hi")).toMatch(
      /telegram\/other.*there are .*telegram\/main/,
    );
    expect(await refusal(gateway, "--to", "telegram", "hi")).toMatch(/channel\/account\/id/);
    expect(await refusal(gateway, "--to", `telegram/main/${team}`, "hi")).toMatch(/--group/);
    expect(await refusal(gateway, "--to", "telegram/main/ann", "hi")).toMatch(/an id is a number/);
    expect(await refusal(gateway, "--to", "openai/main/x", "hi")).toMatch(/cannot be written to first/);
    expect(await refusal(gateway, "--to", "webhook/main/ann", "--thread", "o1", "hi")).toMatch(/callbackUrl/);
    expect(await refusal(gateway, "--to", telegram, " ")).toMatch(/has to have words/);
  });
});

describe("to Discord", () => {
  test("a direct chat is opened for it, and what is answered there is a part of the same conversation", async () => {
    const stage = await openDiscord();
    const { discord, gateway } = stage;
    const bo = discord.person("bo");
    const prompts = seenBy(stage.model);
    await send(gateway, "--to", `discord/main/${bo.id}`, "good morning");
    const chat = bo.direct();
    await eventually("the words", () => texts(stage, chat).includes("good morning"));
    bo.says(chat, "morning m-bo-1");
    await eventually("an answer", () => texts(stage, chat).length === 2);
    expect(prompts.at(-1)).toContain("good morning");
    expect(await refusal(gateway, "--to", "discord/main/123456789012345678", "hi")).toMatch(/no person with this id/);
    expect(await refusal(gateway, "--to", "discord/main/bo", "hi")).toMatch(/Copy ID/);
  });

  test("a person who takes no direct messages is a dead letter that says so", async () => {
    const { discord, gateway } = await openDiscord();
    const bo = discord.person("bo");
    discord.fault({ method: "POST", path: "/messages", kind: "error", status: 403, code: 50_007 });
    await send(gateway, "--to", `discord/main/${bo.id}`, "good morning");
    const [letter] = await untilBuried(gateway);
    expect(letter?.reason).toMatch(/50007.*takes no direct messages/);
    expect(await letters(gateway)).toHaveLength(1);
  });
});

describe("to WhatsApp", () => {
  const person = { phone: "16505551234", name: "Ann" };
  const to = ["--to", `whatsapp/main/+${person.phone}`] as const;

  test("within 24 hours of the person's last message words go out as they are", async () => {
    const stage = await openWhatsAppStage();
    stage.platform.says(person, "hello m-ann-1");
    await untilSaid(stage, person.phone, 1);
    await send(stage.gateway, ...to, "your order is on its way");
    expect((await untilSaid(stage, person.phone, 2))[1]).toBe("your order is on its way");
    expect(stage.platform.said(person.phone)[1]?.body).toMatchObject({ type: "text" });
  });

  test("a number leads to the conversation of the person, who is known by an id", async () => {
    const stage = await openWhatsAppStage();
    const known = { ...person, userId: "US.771234" };
    stage.platform.says(known, "hello m-ann-1");
    await untilSaid(stage, person.phone, 1);
    expect(await send(stage.gateway, ...to, "your order is on its way")).toContain("US.771234");
    await untilSaid(stage, person.phone, 2);
    const prompts = seenBy(stage.model);
    stage.platform.says(known, "which one? m-ann-2");
    await untilSaid(stage, person.phone, 3);
    expect(prompts.at(-1)).toContain("your order is on its way");
  });

  test("outside of them the account's template says it", async () => {
    const stage = await openWhatsAppStage({ account: { template: { name: "news", language: "en_US" } } });
    stage.platform.person(person);
    stage.platform.age(person.phone);
    await send(stage.gateway, ...to, "your order is on its way");
    expect(await untilSaid(stage, person.phone, 1)).toEqual(["your order is on its way"]);
    expect(stage.platform.said(person.phone)[0]?.body).toMatchObject({ type: "template", template: { name: "news" } });
  });

  test("without a template it is a dead letter that says why, and the same for a note", async () => {
    const stage = await openWhatsAppStage();
    const { platform, gateway } = stage;
    platform.person(person);
    platform.age(person.phone);
    await send(gateway, ...to, "your order is on its way");
    const [letter] = await untilBuried(gateway);
    expect(letter?.reason).toMatch(/131047.*24 hours.*template/);
    await send(gateway, ...to, "--prompt", "the order is late");
    await untilBuried(gateway, 2);
    expect(await letters(gateway)).toHaveLength(2);
    expect(saidByWhatsApp(stage, person.phone)).toEqual([]);
  });
});
