/** The real gateway on WhatsApp Web, with a real browser: in, answered, media and choices, and all that goes wrong in between. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { conversationId } from "../../src/ids.ts";
import { needs } from "../needs.ts";
import { eventually } from "./stage.ts";
import { openWebStage, saidTo, untilSaidTo, untilShown, wrongWithWeb } from "./whatsapp-web-stage.ts";

const chromium = needs("chromium");
const openssl = needs("openssl");
const ann = "16505551234@c.us";
const png = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");

describe.skipIf(chromium.missing || openssl.missing)("whatsapp web, from end to end", { timeout: 180_000 }, () => {
  test("a message is answered, edited, and its choices are numbers; files go both ways; delivery is known", async () => {
    const stage = await openWebStage(chromium.path, { agents: { assistant: { vision: true } } });
    const { whatsapp, model, gateway, says } = stage;
    const prompts: string[] = [];
    model.script((prompt) => {
      prompts.push(JSON.stringify(prompt.body));
      if (prompt.toolOutputs.length > 0) return undefined;
      const asked = prompt.turn.join();
      if (asked.includes("which")) {
        const choices = ["Tea please", "Coffee please"];
        return { toolCalls: [{ name: "offer_choices", arguments: { question: "Which?", choices } }] };
      }
      if (!asked.includes("report")) return undefined;
      const file = { name: "report.csv", type: "text/csv", content: "a,b\n1,2\n", encoding: "text", caption: null };
      return { toolCalls: [{ name: "send_file", arguments: file }] };
    });
    await says(ann, "hello m-ann-1");
    expect(await untilSaidTo(whatsapp, ann, 1)).toEqual(["answer to: hello m-ann-1"]);

    await says(ann, "which one m-ann-2");
    expect((await untilSaidTo(whatsapp, ann, 2))[1]).toContain("2. Coffee please");
    await says(ann, "2");
    expect((await untilSaidTo(whatsapp, ann, 3))[2]).toMatch(/pressed .*"Coffee please"/);

    const picture = { type: "image", mimetype: "image/png", size: png.length, caption: "look m-ann-3" };
    await says(ann, "look m-ann-3", { ...picture, directPath: whatsapp.keep(png) });
    await untilSaidTo(whatsapp, ann, 4);
    expect(prompts.at(-1)).toContain(png.toString("base64"));
    await says(ann, "the report m-ann-4");
    await eventually("a document goes out", () => whatsapp.sent.some(({ type }) => type === "document"), 20_000);
    const document = whatsapp.sent.find(({ type }) => type === "document");
    expect(Buffer.from(document?.content ?? "", "base64").toString()).toBe("a,b\n1,2\n");

    await model.rule({ contains: "m-ann-5", reply: { latencyMs: 1_500 } });
    const typo = await says(ann, "teh cat m-ann-5");
    await eventually("its turn runs", () => prompts.some((prompt) => prompt.includes("teh cat")), 10_000);
    await whatsapp.edits(typo, "the cat m-ann-5");
    await eventually("the edit is answered", () => saidTo(whatsapp, ann).join().includes("the cat"), 20_000);

    const read = whatsapp.sent.at(-1)?.id ?? "";
    await whatsapp.acks(read, 3);
    const conversation = conversationId({ tenant: "default", channel: "whatsapp", account: "main" }, ann);
    await eventually(
      "the operator sees that it was read",
      async () => (await gateway.ascent("receipts", conversation)).out.includes("read up to answer"),
      15_000,
    );
    expect(gateway.output()).not.toMatch(/m-ann-\d/);
  });

  test("duplicates of one event, a device that takes over, and an end in between: each is answered once", async () => {
    const stage = await openWebStage(chromium.path);
    const { whatsapp, gateway, says } = stage;
    const id = await says(ann, "hello m-ann-1");
    await Promise.all(Array.from({ length: 9 }, () => whatsapp.repeats(id)));
    await untilSaidTo(whatsapp, ann, 1);
    await whatsapp.conflict();
    await eventually("the browser is given up", () => whatsapp.pages() === 0, 20_000);
    await says(ann, "meanwhile m-ann-2");
    await untilShown(whatsapp);
    expect(await untilSaidTo(whatsapp, ann, 2)).toEqual(["answer to: hello m-ann-1", "answer to: meanwhile m-ann-2"]);
    await gateway.terminate();
    await says(ann, "nobody is there m-ann-3");
    await gateway.start();
    expect((await untilSaidTo(whatsapp, ann, 3, 60_000))[2]).toBe("answer to: nobody is there m-ann-3");
    await whatsapp.repeats(id);
    await sleep(1_000);
    expect(saidTo(whatsapp, ann)).toHaveLength(3);
    expect(wrongWithWeb(whatsapp, stage.written, [gateway])).toEqual([]);
  });

  test("through kills every message is answered, in order, and twice at most where it was on its way", async () => {
    const stage = await openWebStage(chromium.path);
    const { whatsapp, gateway, says, model } = stage;
    await model.pace({ latencyMs: 100 });
    const chats = [0, 1, 2, 3].map((n) => `1650555100${n}@c.us`);
    let talking = true;
    const talks = chats.map(async (chat, at) => {
      for (let n = 1; talking; n += 1) {
        await says(chat, `hello m-p${at}-${n}`);
        await sleep(500 + 90 * at);
      }
    });
    for (let kill = 0; kill < 3; kill += 1) {
      await sleep(1_000 + 700 * kill);
      await gateway.kill();
      await gateway.start();
      await untilShown(whatsapp);
    }
    talking = false;
    await Promise.all(talks);
    await eventually(
      "everything is answered",
      () =>
        stage.written.every(({ id: { remote }, body }) => {
          const token = /m-\w+-\d+/.exec(String(body))?.[0] ?? "";
          return new RegExp(`${token}\\b`).test(saidTo(whatsapp, remote).join("\n"));
        }),
      60_000,
    );
    await sleep(500);
    expect(wrongWithWeb(whatsapp, stage.written, [gateway])).toEqual([]);
  });
});
