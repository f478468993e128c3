/** Whom each channel can write to first, by the platform's own ids: the same conversation as a message from there. */
import { describe, expect, it } from "vitest";
import { parse } from "../../channels/telegram/parse.ts";
import { reach as reachByTelegram } from "../../channels/telegram/reach.ts";
import type { FromPerson } from "../../channels/web/entry.ts";
import { eventOf as webEventOf } from "../../channels/web/parse.ts";
import { reach as reachByPage } from "../../channels/web/reach.ts";
import { createCalls } from "../../channels/webhook/calls.ts";
import { eventOf as postedEventOf, parseBody } from "../../channels/webhook/parse.ts";
import { reach as reachByCallback } from "../../channels/webhook/reach.ts";
import { reachByWeb } from "../../channels/whatsapp/reach.ts";
import { parseWeb } from "../../channels/whatsapp/web/parse.ts";
import type { Reached, Target } from "../../src/channel.ts";
import { agentIdOf } from "../../src/ids.ts";
import type { InboundEvent } from "../../src/message.ts";
import { probe } from "../contract/channel-deps.ts";

const refOf = (channel: string) => ({ tenant: "acme", channel, account: "main" });
const person = (id: string, thread?: string): Target => ({ kind: "direct", id, thread });
const group = (id: string, thread?: string): Target => ({ kind: "group", id, thread });

/** An answer to what was sent there comes back to the same conversation and the same agent. */
function expectSame(reached: Reached, event: InboundEvent | undefined): void {
  if (event === undefined) throw new Error("nothing came from there");
  const agentOf = ({ to, participant }: Reached) => agentIdOf(to.kind, participant.id, to.conversation);
  expect(reached.to).toEqual(event.address);
  expect(agentOf(reached)).toBe(agentOf({ to: event.address, participant: event.participant }));
}

describe("Telegram", () => {
  const account = refOf("telegram");
  const me = { id: 1, is_bot: true as const, first_name: "Bot", username: "bot" };
  const from = { id: 7_200_001, is_bot: false, first_name: "Ann" };
  const written = (chat: object, more: object = {}) => {
    const message = { message_id: 5, date: 1_790_000_000, chat, from, text: "hi", ...more };
    return parse({ update_id: 1, message } as never, { ...account, me, receivedAt: 0 } as never);
  };

  it("has a person's direct chat under their own id, groups under negative ones, and topics in both", () => {
    expectSame(reachByTelegram(account, person("7200001")), written({ id: 7_200_001, type: "private" }));
    const forum = { id: -1_002_000_000_001, type: "supergroup", title: "Team", is_forum: true };
    expectSame(reachByTelegram(account, group("-1002000000001")), written(forum));
    const topic = { is_topic_message: true, message_thread_id: 12 };
    expectSame(reachByTelegram(account, group("-1002000000001", "12")), written(forum, topic));
  });

  it.each([
    [person("@ann"), /an id is a number/],
    [person("1e9"), /an id is a number/],
    [person("-100123"), /--group/],
    [group("7200001"), /negative/],
    [group("-100123", "general"), /number of a topic/],
  ])("refuses %j with what to do", (target, words) => {
    expect(() => reachByTelegram(account, target)).toThrow(words);
  });
});

describe("WhatsApp Web", () => {
  const account = refOf("whatsapp");
  const written = (remote: string, more: object = {}) =>
    parseWeb(
      { id: { id: "A1", fromMe: false, remote }, type: "chat", t: 1_790_000_000, from: remote, body: "hi", ...more },
      { ...account, own: ["15550001@c.us"], receivedAt: 0 },
    );

  it("makes a chat of a phone number, however it is written, and takes its own ids as they are", () => {
    expectSame(reachByWeb(account, person("+49 (170) 123-4567")), written("491701234567@c.us"));
    expectSame(reachByWeb(account, person("98765432101@lid")), written("98765432101@lid"));
    const chat = "120363012345678901@g.us";
    expectSame(reachByWeb(account, group("120363012345678901")), written(chat, { author: "491701234567@c.us" }));
  });

  it.each([
    [person("ann"), /country code/],
    [person("0170 1234567"), /country code/],
    [group("friends"), /@g\.us/],
    [person("491701234567", "1"), /no threads/],
  ])("refuses %j with what to do", (target, words) => {
    expect(() => reachByWeb(account, target)).toThrow(words);
  });
});

describe("the web page", () => {
  it("is reached in a conversation that somebody has begun, and in no other", async () => {
    const { deps } = probe(refOf("web"));
    await expect(reachByPage(deps, person("s1"))).rejects.toThrow("nobody has written in this conversation");
    const entry: FromPerson = { v: 1, kind: "user", client: "c1", text: "hi", attachments: [] };
    const event = webEventOf(deps, "s1", { n: 1, key: "u-c1", at: 0, entry });
    await deps.transcript.append(event.address.conversation, "u-c1", entry);
    expectSame(await reachByPage(deps, person("s1")), event);
    await expect(reachByPage(deps, group("s1"))).rejects.toThrow("no groups");
  });
});

describe("webhooks", () => {
  it("are reached where a callback is known, and in no other conversation", async () => {
    const { deps } = probe(refOf("webhook"));
    const calls = createCalls(deps);
    const posted = (more: object) => {
      const text = JSON.stringify({ conversation: "order-17", participant: "ann", text: "hi", ...more });
      return postedEventOf(deps, "msg_1", parseBody("msg_1", text, 1_000), 0);
    };
    for (const [target, event] of [
      [person("ann", "order-17"), posted({})],
      [group("order-17"), posted({ kind: "group" })],
    ] as const) {
      await expect(reachByCallback(deps, calls, target)).rejects.toThrow("`callbackUrl`");
      await calls.setTarget(event.address.conversation, "https://example.org/answers");
      expectSame(await reachByCallback(deps, calls, target), event);
    }
    await expect(reachByCallback(deps, calls, person("ann"))).rejects.toThrow("as the thread");
  });
});
