/** The real gateway on WhatsApp's Cloud API: in, answered, media and choices both ways, and all that goes wrong in between. */
import { expect, test } from "vitest";
import type { Person } from "../fakes/whatsapp/types.ts";
import { eventually } from "./stage.ts";
import { openWhatsAppStage, said, saidOnce, untilSaid, wrongWith, type WhatsAppStage } from "./whatsapp-stage.ts";

const ann: Person = { phone: "16505551234", name: "Ann Lee" };
const bo: Person = {
  phone: "16505559876",
  userId: "US.13491208655302741918",
  name: "Bo",
  username: "bo.e",
  hidden: true,
};

async function letters({ gateway }: WhatsAppStage): Promise<{ id: string; reason: string }[]> {
  return JSON.parse((await gateway.ascent("deadletters", "list", "--json")).out) as { id: string; reason: string }[];
}

test("a message is answered and marked as read, for a person with a number and for one who hides it", async () => {
  const stage = await openWhatsAppStage();
  const { platform } = stage;
  platform.says(ann, "hello m-ann-1");
  platform.says(bo, "hello m-bo-1");
  expect(await untilSaid(stage, ann.phone, 1)).toEqual(["answer to: hello m-ann-1"]);
  expect(await untilSaid(stage, bo.phone, 1)).toEqual(["answer to: hello m-bo-1"]);
  expect(platform.said(bo.phone)[0]?.body).toMatchObject({ recipient: bo.userId });
  const marked = await eventually("both are marked as read", () => {
    const reads = platform.calls.filter(({ operation }) => operation === "read");
    return reads.length >= 2 && reads;
  });
  expect(marked.map(({ status }) => status)).toEqual([200, 200]);
  expect(wrongWith(stage)).toEqual([]);
});

test("only Meta is believed: a wrong handshake is refused with 403, a wrong signature with 401, and nothing comes in", async () => {
  const stage = await openWhatsAppStage();
  const { platform, webhook, model } = stage;
  expect(await platform.register(webhook, "guessed")).toEqual({ status: 403, answered: false });
  const value = {
    metadata: { display_phone_number: "15550783881", phone_number_id: platform.phoneNumberId },
    messages: [
      { from: ann.phone, id: "wamid.forged", timestamp: "1795430000", type: "text", text: { body: "forged" } },
    ],
  };
  const body = JSON.stringify({
    object: "whatsapp_business_account",
    entry: [{ id: "1", changes: [{ field: "messages", value }] }],
  });
  const post = (signature: string) =>
    fetch(webhook, { method: "POST", body, headers: { "x-hub-signature-256": signature } });
  const genuine = platform.sign(body);
  for (const signature of ["", "sha256=", genuine.slice(0, -1), platform.sign(`${body} `)])
    expect((await post(signature)).status).toBe(401);
  platform.says(ann, "hello m-ann-1");
  expect(await untilSaid(stage, ann.phone, 1)).toEqual(["answer to: hello m-ann-1"]);
  expect(model.log).toHaveLength(1);
  expect((await post(genuine)).status).toBe(200);
  expect(await untilSaid(stage, ann.phone, 2)).toContain("answer to: forged");
});

test("one webhook with several people's messages in any order, one of them unreadable: the others are answered in order", async () => {
  const stage = await openWhatsAppStage();
  const { platform, model } = stage;
  await model.rule({ contains: "m-ann-1", reply: { latencyMs: 300 } });
  platform.saysAtOnce(
    [
      [ann, "one m-ann-1"],
      [ann, { type: "hologram", hologram: { body: "nobody knows" } }],
      [bo, "one m-bo-1"],
      [ann, "two m-ann-2"],
    ],
    [2, 0, 1, 3],
  );
  await eventually("both of Ann's are answered", () => said(stage, ann.phone).join("\n").includes("m-ann-2"));
  await untilSaid(stage, bo.phone, 1);
  expect(platform.inbound.every(({ confirmedAt }) => confirmedAt !== undefined)).toBe(true);
  expect(wrongWith(stage)).toEqual([]);
  const found = await letters(stage);
  expect(found.map(({ reason }) => reason)).toEqual([expect.stringContaining('type "hologram"')]);
  expect(JSON.stringify(found)).toContain("nobody knows");
});

test("the same webhook ten times at once, and again after a kill, is answered once", async () => {
  const stage = await openWhatsAppStage();
  const { platform, gateway, model } = stage;
  const { id } = platform.says(ann, "hello m-ann-1");
  expect(await platform.redeliver(id, 10)).toEqual(Array.from({ length: 10 }, () => 200));
  await untilSaid(stage, ann.phone, 1);
  await gateway.kill();
  await gateway.start();
  expect(await platform.redeliver(id, 10)).toEqual(Array.from({ length: 10 }, () => 200));
  platform.says(ann, "hello m-ann-2");
  await eventually("the next is answered", () => said(stage, ann.phone).at(-1)?.includes("m-ann-2"));
  expect(saidOnce(stage, ann.phone)).toEqual(["answer to: hello m-ann-1", "answer to: hello m-ann-2"]);
  expect(model.log).toHaveLength(2);
  expect(wrongWith(stage)).toEqual([]);
});

test("a picture comes in as a picture, and a file goes out with the answer", async () => {
  const stage = await openWhatsAppStage({ config: { agents: { assistant: { vision: true } } } });
  const { platform, model } = stage;
  const seen: string[] = [];
  model.script((prompt) => {
    seen.push(JSON.stringify(prompt.body));
    if (!prompt.turn.join().includes("report") || prompt.toolOutputs.length > 0) return undefined;
    const file = { name: "report.csv", type: "text/csv", content: "a,b\n1,2\n", encoding: "text", caption: null };
    return { toolCalls: [{ name: "send_file", arguments: file }] };
  });
  const png = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");
  platform.sendsFile(ann, png, "a.png", { type: "image", mime: "image/png" });
  await untilSaid(stage, ann.phone, 1);
  expect(seen.join()).toContain(png.toString("base64"));
  platform.says(ann, "the report please m-ann-1");
  await eventually("a document goes out", () =>
    platform.said(ann.phone).some(({ body }) => body["type"] === "document"),
  );
  const document = platform.said(ann.phone).at(-1);
  expect(document?.body["document"]).toMatchObject({
    filename: "report.csv",
    caption: expect.stringContaining("m-ann-1") as string,
  });
  expect(platform.calls.find(({ operation }) => operation === "upload")?.files).toEqual([
    { name: "report.csv", size: 8, mime: "text/plain" },
  ]);
});

test("three choices are buttons, five a list, long ones a numbered list; a press or a typed number comes back", async () => {
  const stage = await openWhatsAppStage();
  const { platform, model } = stage;
  const labels = (count: number, more = "") => Array.from({ length: count }, (_, n) => `Choice ${n + 1}${more}`);
  const choices: Record<string, string[]> = {
    few: labels(3),
    some: labels(5),
    long: labels(2, " with very many words"),
  };
  model.script((prompt) => {
    const asked = choices[/\b(?:few|some|long)\b/.exec(prompt.turn.join())?.[0] ?? ""];
    if (asked === undefined || prompt.toolOutputs.length > 0) return undefined;
    return { toolCalls: [{ name: "offer_choices", arguments: { question: "Which?", choices: asked } }] };
  });
  const shown = async (text: string, count: number) => {
    platform.says(ann, text);
    await untilSaid(stage, ann.phone, count);
    return platform.said(ann.phone).at(-1);
  };
  const few = await shown("few m-ann-1", 1);
  expect(few?.body["interactive"]).toMatchObject({ type: "button" });
  platform.presses(ann, few?.id ?? "", "Choice 2");
  expect((await untilSaid(stage, ann.phone, 2))[1]).toMatch(/pressed .*"Choice 2"/);
  const some = await shown("some m-ann-2", 3);
  expect(some?.body["interactive"]).toMatchObject({ type: "list" });
  platform.presses(ann, some?.id ?? "", "Choice 5");
  expect((await untilSaid(stage, ann.phone, 4))[3]).toMatch(/pressed .*"Choice 5"/);
  const long = await shown("long m-ann-3", 5);
  expect(long === undefined ? "" : platform.textOf(long)).toContain("2. Choice 2 with very many words");
  platform.says(ann, "2");
  expect((await untilSaid(stage, ann.phone, 6))[5]).toMatch(/pressed .*"Choice 2 with very many words"/);
});

test("a 429 is waited for, an outage is tried again, and a send that arrived unheard is not made twice", async () => {
  const stage = await openWhatsAppStage();
  const { platform } = stage;
  platform.fault({ kind: "error", code: 130_429, retryAfter: 1, times: 1 });
  platform.says(ann, "hello m-ann-1");
  await untilSaid(stage, ann.phone, 1);
  platform.fault({ kind: "error", code: 131_000, status: 500, times: 2 });
  platform.says(ann, "hello m-ann-2");
  await untilSaid(stage, ann.phone, 2);
  platform.fault({ kind: "close", accepted: true, times: 1 });
  platform.says(ann, "hello m-ann-3");
  await untilSaid(stage, ann.phone, 3);
  platform.says(ann, "hello m-ann-4");
  const answers = await untilSaid(stage, ann.phone, 4);
  expect(answers).toEqual([1, 2, 3, 4].map((n) => `answer to: hello m-ann-${n}`));
  expect(wrongWith(stage)).toEqual([]);
});

test("outside the 24 hours the words go out as the template, at once and when Meta says so later", async () => {
  const stage = await openWhatsAppStage({ account: { template: { name: "reply", language: "en_US" } } });
  const { platform, model } = stage;
  await model.rule({ contains: "m-ann-1", reply: { text: "line one\n\nline two", latencyMs: 300 } });
  platform.says(ann, "late m-ann-1");
  await eventually("the model is asked", () => model.log.length > 0);
  platform.age(ann.phone);
  expect(await untilSaid(stage, ann.phone, 1)).toEqual(["line one · line two"]);
  expect(platform.said(ann.phone)[0]?.body).toMatchObject({ type: "template", template: { name: "reply" } });

  platform.fault({ kind: "fails later", code: 131_047 });
  platform.says(ann, "later m-ann-2");
  expect(await untilSaid(stage, ann.phone, 3)).toEqual([
    "line one · line two",
    "answer to: later m-ann-2",
    "answer to: later m-ann-2",
  ]);
  expect(platform.said(ann.phone)[2]?.body).toMatchObject({ type: "template" });
  expect(await letters(stage)).toEqual([]);
});

test("without a template the dead letter says what to do, whether Meta refuses at once or later", async () => {
  const stage = await openWhatsAppStage();
  const { platform } = stage;
  platform.fault({ kind: "error", code: 131_047, times: 1 });
  platform.says(ann, "one m-ann-1");
  await eventually("the first letter", async () => (await letters(stage)).length === 1);
  platform.fault({ kind: "fails later", code: 131_047 });
  platform.says(bo, "two m-bo-1");
  const found = await eventually("the second letter", async () => {
    const all = await letters(stage);
    return all.length === 2 && all;
  });
  for (const { reason } of found) expect(reason).toMatch(/131047.*24 hours.*template/);
  expect(stage.gateway.output()).not.toContain("m-bo-1");
});

test("the doctor finds a good account good, and names a token that ran out with the next step", async () => {
  const stage = await openWhatsAppStage();
  const { gateway, platform } = stage;
  const good = await gateway.ascent("doctor");
  expect(good.out).toContain("the token answers for Ascent Test, +15550783881");
  expect(good.out).toContain("the app's secret is that of the token's app");
  platform.fault({ kind: "error", code: 190, status: 401, operation: "number", times: 1 });
  const expired = await gateway.ascent("doctor");
  expect(expired.code).toBe(1);
  expect(expired.out).toMatch(/WRONG {2}whatsapp\/main: .*token was not accepted\n\s+→ .*WHATSAPP_TOKEN/);
  expect(good.out + expired.out).not.toContain(platform.token);
});
