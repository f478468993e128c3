/**
 * The contract of a channel, for every one of them: `channelContract({ name, make, genuine, read, hostile, deviations })`.
 *
 * `make` gives a fake of the platform that speaks its protocol over real connections; `genuine` are recorded payloads.
 */
import { describe, expect, it } from "vitest";
import type { AccountRef } from "../../src/ids.ts";
import { inboundEvent, type InboundEvent } from "../../src/message.ts";
import { inboundChecks } from "./channel-inbound.ts";
import { outboundChecks } from "./channel-outbound.ts";
import type { ChannelContract } from "./channel-platform.ts";
import { setUp } from "./channel-tools.ts";

export type { ChannelContract, Done, Genuine, Platform, Refusal, Running, Shown } from "./channel-platform.ts";
export { replay } from "./channel-platform.ts";

export function channelContract(contract: ChannelContract): void {
  const setup = setUp(contract);
  const { main, titles, check } = setup;

  describe(`${contract.name}`, () => {
    describe("recorded payloads", () => {
      for (const { name, about, payload, expected } of contract.genuine) {
        it(`${name}: ${about}`, () => {
          const events = contract.read(payload, main);
          expect(events).toMatchObject(expected === null ? [] : [expected]);
        });
      }
      check("are valid events that survive storage", () => {
        for (const event of all(contract, main)) {
          expect(inboundEvent.parse(JSON.parse(JSON.stringify(event)))).toEqual(JSON.parse(JSON.stringify(event)));
          expect(event.raw).toBeDefined();
          expect(event.address).toMatchObject({ tenant: main.tenant, channel: main.channel, account: main.account });
        }
      });
      check(
        "include the bot's own message, which does not come in, and another bot's, which does as a bot's at most",
        () => {
          const [own, bot] = ["own", "bot"].map((tag) => {
            const tagged = contract.genuine.filter(({ tags }) => tags.includes(tag));
            expect(tagged.length, `no payload is tagged "${tag}"`).toBeGreaterThan(0);
            return tagged.flatMap(({ payload }) => contract.read(payload, main));
          });
          expect(own).toEqual([]);
          expect(bot?.every(({ participant }) => participant.bot === true)).toBe(true);
        },
      );
    });

    describe("ids", () => {
      check("are the same for every delivery and different for every event", () => {
        const ids = all(contract, main).map(({ id }) => id);
        expect(all(contract, main).map(({ id }) => id)).toEqual(ids);
        // Each payload is an event of its own where none tells of an earlier one's redelivery.
        const perPayload = contract.genuine.map(({ payload }) => JSON.stringify(payload));
        expect(new Set(perPayload).size).toBe(perPayload.length);
      });
      check("of one account are none of another account's or tenant's", () => {
        const known = new Set(all(contract, main).flatMap(idsOf));
        expect(known.size).toBeGreaterThan(0);
        for (const other of [
          { ...main, account: "second" },
          { ...main, tenant: "other" },
        ]) {
          for (const id of all(contract, other).flatMap(idsOf)) expect(known).not.toContain(id);
        }
      });
      check("stay apart and short for hostile chat and user ids", () => {
        const hostile = [
          "1",
          "1:2",
          "1%3A2",
          "a:b",
          "a%b",
          "~x",
          "%7Ex",
          "../../etc",
          "line\nbreak",
          "\u0000",
          "ключ",
          "鍵",
          "😀",
          "\ud800",
          " ",
          "x".repeat(10_240),
          `${"x".repeat(10_239)}y`,
        ];
        const conversations = new Map<string, string>();
        for (const id of hostile) {
          for (const [chat, user] of [
            [id, "7"],
            ["7", id],
          ] as const) {
            const event = contract.read(contract.hostile({ chat, user }), main)[0];
            expect(
              event,
              `chat ${JSON.stringify(chat.slice(0, 20))} user ${JSON.stringify(user.slice(0, 20))}`,
            ).toBeDefined();
            const key = chat === id ? event?.address.conversation : event?.participant.id;
            expect(key).toMatch(/^[\w.!~*'()%:-]+$/);
            expect(key?.length).toBeLessThan(500);
            const kind = chat === id ? "chat" : "user";
            expect(conversations.get(`${kind} ${key}`), `two ids became ${key}`).toBeUndefined();
            conversations.set(`${kind} ${key}`, id);
          }
        }
      });
    });

    inboundChecks(setup);
    outboundChecks(setup);

    it("names no deviation from a check that does not exist", () => {
      expect(Object.keys(contract.deviations).filter((title) => !titles.has(title))).toEqual([]);
    });
  });
}

function all(contract: ChannelContract, account: AccountRef): InboundEvent[] {
  return contract.genuine.flatMap(({ payload }) => contract.read(payload, account));
}

function idsOf(event: InboundEvent): string[] {
  const own = [event.id, event.address.conversation, event.participant.id];
  if ("target" in event) own.push(event.target);
  return event.kind === "message" && event.message.replyTo?.id !== undefined ? [...own, event.message.replyTo.id] : own;
}
