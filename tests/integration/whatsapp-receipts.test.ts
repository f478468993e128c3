/** What Meta says of answers that it had taken, on the real gateway: late failures are told once, marks only rise. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";
import { conversationId } from "../../src/ids.ts";
import { listen, readBody } from "../fakes/http.ts";
import type { Person } from "../fakes/whatsapp/types.ts";
import { eventually } from "./stage.ts";
import { openWhatsAppStage, said, saidOnce, untilSaid, wrongWith, type WhatsAppStage } from "./whatsapp-stage.ts";

const ann: Person = { phone: "16505551234", name: "Ann Lee" };
const conversationOf = ({ phone }: Person) =>
  conversationId({ tenant: "default", channel: "whatsapp", account: "main" }, phone);

interface Letter {
  readonly id: string;
  readonly reason: string;
  readonly event: { readonly data: unknown };
}

async function letters({ gateway }: WhatsAppStage): Promise<Letter[]> {
  return JSON.parse((await gateway.ascent("deadletters", "list", "--json")).out) as Letter[];
}

async function marks({ gateway }: WhatsAppStage, person: Person) {
  return JSON.parse((await gateway.ascent("receipts", conversationOf(person), "--json")).out) as {
    delivered?: { seq: number };
    read?: { seq: number };
  };
}

const sorry = /could not be delivered|did not reach|not.*deliver/i;

test("an answer that fails late is told to the person once, and its dead letter sends it again", async () => {
  const stage = await openWhatsAppStage();
  const { platform, gateway, model } = stage;
  const prompts: string[] = [];
  model.script((prompt) => void prompts.push(JSON.stringify(prompt.body)));
  platform.fault({ kind: "fails later", code: 131_026 });
  platform.says(ann, "hello m-ann-1");
  const [, notice] = await untilSaid(stage, ann.phone, 2);
  expect(notice).toMatch(sorry);
  const [letter, ...more] = await letters(stage);
  expect(more).toEqual([]);
  expect(letter?.reason).toMatch(/accepted and not delivered: 131026, .*WhatsApp/);
  expect(JSON.stringify(letter?.event.data)).toContain("answer to: hello m-ann-1");

  const lost = platform.said(ann.phone)[0]?.id ?? "";
  for (let n = 0; n < 5; n += 1) platform.reports(lost, "failed", 131_026);
  expect((await gateway.ascent("deadletters", "retry", letter?.id ?? "")).code).toBe(0);
  expect((await untilSaid(stage, ann.phone, 3))[2]).toBe("answer to: hello m-ann-1");
  for (let n = 0; n < 5; n += 1) platform.reports(lost, "failed", 131_026);
  platform.says(ann, "what came m-ann-2");
  await untilSaid(stage, ann.phone, 4);
  expect(prompts.at(-1)).toContain("(an answer could not be delivered)");
  await sleep(300);
  expect(said(stage, ann.phone)).toHaveLength(4);
  expect(await letters(stage)).toEqual([]);
  expect(gateway.output()).not.toContain("m-ann-1");
});

test("delivered and read are told to subscribers and to the operator, in whatever order they come", async () => {
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const told: { type: string; data: { seq: number; messages: string[] } }[] = [];
  const server = await listen((request, response) => {
    void readBody(request).then((raw) => {
      if (typeof raw === "string") return;
      told.push(new Webhook(secret).verify(String(raw), request.headers as Record<string, string>) as never);
      response.writeHead(204).end();
    });
  });
  onTestFinished(() => server.close());
  const events = ["message.delivered", "message.read"];
  const webhooks = { allowHosts: ["127.0.0.1"], subscribers: [{ url: `${server.url}/hook`, secret, events }] };
  const stage = await openWhatsAppStage({ config: { webhooks } });
  const { platform } = stage;
  for (const n of [1, 2]) {
    platform.says(ann, `hello m-ann-${n}`);
    await untilSaid(stage, ann.phone, n);
  }
  await eventually("both are told", () => told.length >= 4);
  expect(await marks(stage, ann)).toMatchObject({ delivered: { seq: 2 }, read: { seq: 2 } });
  const [first] = platform.said(ann.phone);
  for (const status of ["read", "delivered", "sent", "delivered"] as const) platform.reports(first?.id ?? "", status);
  await sleep(500);
  expect(await marks(stage, ann)).toMatchObject({ delivered: { seq: 2 }, read: { seq: 2 } });
  expect(told.map(({ type, data }) => `${type} ${data.seq}`).toSorted()).toEqual([
    "message.delivered 1",
    "message.delivered 2",
    "message.read 1",
    "message.read 2",
  ]);
  expect(told.every(({ data }) => data.messages.length === 1)).toBe(true);
  expect((await stage.gateway.ascent("receipts", conversationOf(ann))).out).toMatch(/^delivered up to answer 2, /);
  expect((await stage.gateway.ascent("receipts", "default:whatsapp:main:1")).out).toContain("told nothing");
  expect(wrongWith(stage)).toEqual([]);
});

test(
  "a kill between the status and its receipt loses no failure, and tells none twice",
  { timeout: 120_000 },
  async () => {
    const stage = await openWhatsAppStage();
    const { platform, gateway } = stage;
    const people = [0, 1, 2, 4, 8, 16, 32].map((ms, n): Person & { ms: number } => ({
      phone: `1650555100${n}`,
      name: `P${n}`,
      ms,
    }));
    for (const person of people) platform.says(person, `hello m-p${person.ms}-1`);
    for (const { phone } of people) await untilSaid(stage, phone, 1);
    // The delivered marks of these messages are as good as none: what fails is the second message of each.
    for (const person of people) {
      const { phone, ms } = person;
      platform.fault({ kind: "fails later", code: 131_026 });
      platform.says(person, `again m-p${ms}-2`);
      await untilSaid(stage, phone, 2);
      await sleep(ms);
      await gateway.kill();
      await gateway.start();
      await eventually("it is told", () => said(stage, phone).some((text) => sorry.test(text)), 20_000);
    }
    await sleep(500);
    for (const { phone } of people) {
      expect(saidOnce(stage, phone)).toHaveLength(3);
      expect(saidOnce(stage, phone)[2]).toMatch(sorry);
    }
    const found = await letters(stage);
    expect(found).toHaveLength(people.length);
    expect(found.every(({ event }) => JSON.stringify(event.data).includes("answer to: again"))).toBe(true);
  },
);
