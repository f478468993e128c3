import { describe, expect, it } from "vitest";
import { InfrastructureError, type RefusedError } from "../../src/errors.ts";
import { conversationId, messageId } from "../../src/ids.ts";
import { noticeKeys, type InboundMessage } from "../../src/message.ts";
import { noticeText } from "../../src/notices.ts";
import type { Policy } from "../../src/policy.ts";
import { account, createTime, openDoor, says, type Said } from "./access.fixture.ts";

const hour = 3_600_000;
const code = "CODE-1001";

describe("where access is open", () => {
  it("everybody's messages come in at once, and nothing is looked up", async () => {
    const door = openDoor({});
    expect(await door.ruleFor(says())).toBeUndefined();
    expect(await door.ruleFor(says({ user: "bob" }))).toBeUndefined();
    expect(door).toMatchObject({ reads: 0, published: [{ kind: "message" }, { kind: "message" }] });
  });

  it("who is blocked is not heard, in groups neither", async () => {
    const door = openDoor({ block: new Set(["ann"]) });
    expect(await door.ruleFor(says())).toBe("blocked");
    expect(await door.ruleFor(says({ group: "team" }))).toBe("blocked");
    expect(await door.ruleFor(says({ user: "bob" }))).toBeUndefined();
    expect(door.notices()).toEqual([]);
  });

  it("what carries nothing is set aside", async () => {
    expect(await openDoor({}).ruleFor(says({ message: { parts: [] } }))).toBe("empty");
  });
});

describe("an allowlist", () => {
  it("lets those in whom it names, and says nothing to others", async () => {
    const door = openDoor({ access: "allowlist", allow: new Set(["ann"]) });
    expect(await door.ruleFor(says())).toBeUndefined();
    expect(await door.ruleFor(says({ user: "bob" }))).toBe("not allowed");
    expect(door.notices()).toEqual([]);
  });

  it("does not name a person by the start of an id", async () => {
    const door = openDoor({ access: "allowlist", allow: new Set(["7200001"]) });
    for (const user of ["720000", "72000011", " 7200001", "7200001\n", "*", ""])
      expect(await door.ruleFor(says({ user }))).toBe("not allowed");
  });
});

describe("groups", () => {
  const reply: Said["message"] = { replyTo: { own: true }, addressed: true };
  const command: Said["message"] = { command: { name: "help", args: "" }, addressed: true };
  const table: readonly [Policy["groups"], Said["message"], string | undefined][] = [
    ["mention", { addressed: true }, undefined],
    ["mention", reply, undefined],
    ["mention", command, undefined],
    ["mention", { addressed: false }, "not addressed"],
    ["reply", { addressed: true }, "not addressed"],
    ["reply", reply, undefined],
    ["reply", command, undefined],
    ["reply", { replyTo: { own: false }, addressed: true }, "not addressed"],
    ["always", { addressed: false }, undefined],
    ["always", { addressed: false, forAnother: true }, "not addressed"],
    ["off", { addressed: true }, "groups are off"],
    ["off", reply, "groups are off"],
  ];
  it.each(table)("%s: %j is set aside by %s", async (groups, message = {}, rule) => {
    expect(await openDoor({ groups }).ruleFor(says({ group: "team", message }))).toBe(rule);
  });

  it("that are listed are the only ones; direct chats are not concerned", async () => {
    const door = openDoor({ allowGroups: new Set(["team"]) });
    expect(await door.ruleFor(says({ group: "team" }))).toBeUndefined();
    expect(await door.ruleFor(says({ group: "other" }))).toBe("group not allowed");
    expect(await door.ruleFor(says())).toBeUndefined();
  });

  it("take nothing over from what a person was allowed in a direct chat, nor give it", async () => {
    const door = openDoor({ access: "pairing", allow: new Set(["ann"]), allowGroups: new Set(["team"]) });
    await door.ruleFor(says({ user: "bob" }));
    await door.operators.decide(code, "approved", [account]);
    for (const user of ["ann", "bob"]) {
      expect(await door.ruleFor(says({ user }))).toBeUndefined();
      expect(await door.ruleFor(says({ user, group: "other" }))).toBe("group not allowed");
    }
    const unlisted = openDoor({ access: "allowlist", allow: new Set(["ann"]) });
    expect(await unlisted.ruleFor(says({ group: "team" }))).toBe("group not allowed");
    expect(await door.ruleFor(says({ user: "eve", group: "team" }))).toBeUndefined();
    expect(await door.ruleFor(says({ user: "eve" }))).toBe("not paired");
  });

  it("are told no code", async () => {
    const door = openDoor({ access: "pairing" });
    expect(await door.ruleFor(says({ group: "team" }))).toBe("group not allowed");
    expect(door.notices()).toEqual([]);
    expect(await door.operators.asked([account])).toEqual([]);
  });
});

describe("pairing", () => {
  it("what was set aside before stays so when it comes again, whoever else writes meanwhile", async () => {
    const records = new Map<string, unknown>();
    const time = createTime();
    const door = openDoor({ access: "pairing" }, { time, records });
    const early = says();
    const dated = { ...says(), sentAt: time.now() };
    for (const one of [early, dated]) expect(await door.ruleFor(one)).toBe("not paired");
    await door.operators.decide(code, "approved", [account]);
    const other = openDoor({ access: "pairing" }, { time, records });
    for (const one of [early, dated]) expect(await other.ruleFor(one)).toBe("not paired");
    // The platform's clock may be behind ours: what is new is taken.
    expect(await other.ruleFor({ ...says(), sentAt: time.now() - 60_000 })).toBeUndefined();
    time.pass(hour);
    await other.ruleFor(says());
    const { reads } = other;
    expect(await other.ruleFor({ ...says(), sentAt: time.now() })).toBeUndefined();
    expect(other.reads).toBe(reads);
    expect(other.published.map(({ id }) => id)).not.toContain(early.id);
  });

  it("whoever was told at once that it was not taken may send the same again", async () => {
    const door = openDoor({ access: "pairing" }, { refuses: true });
    const message = says();
    await expect(door.inbound.admit(message)).rejects.toThrow("CODE-1001");
    await door.operators.decide(code, "approved", [account]);
    await door.inbound.admit(message);
  });

  it("gives a code once, and lets in whom an operator approves, from the next message on", async () => {
    const door = openDoor({ access: "pairing" });
    const first = says({ locale: "de-AT" });
    expect(await door.ruleFor(first)).toBe("not paired");
    expect(await door.ruleFor(says())).toBe("not paired");
    expect(door.notices()).toMatchObject([
      { notice: "unpaired", values: { code }, participant: { locale: "de-AT" }, address: first.address },
    ]);
    expect(await door.operators.asked([account])).toMatchObject([{ code, channel: "test", user: "ann" }]);
    await door.operators.decide("code 1001", "approved", [account]);
    expect(door.notices()[1]).toMatchObject({ notice: "paired", address: first.address });
    expect(await door.ruleFor(says())).toBeUndefined();
    expect(await door.operators.asked([account])).toEqual([]);
    expect(door.aside.map(({ id }) => id)).toContain(first.id);
    expect(door.published.filter(({ kind }) => kind === "message")).toHaveLength(1);
  });

  it("says it again when the same message comes again, under the same id", async () => {
    const records = new Map<string, unknown>();
    const door = openDoor({ access: "pairing" }, { records });
    const first = says();
    await door.ruleFor(first);
    // The process died before its platform was told.
    const next = openDoor({ access: "pairing" }, { records, time: door.time });
    await next.ruleFor(first);
    expect(next.notices()).toEqual(door.notices());
    await next.ruleFor(says());
    expect(next.notices()).toHaveLength(1);
  });

  it("forgets a code after an hour and gives another then", async () => {
    const door = openDoor({ access: "pairing" });
    await door.ruleFor(says());
    door.time.pass(hour);
    await expect(door.operators.decide(code, "approved", [account])).rejects.toThrow("nobody has this code");
    expect(await door.ruleFor(says())).toBe("not paired");
    expect(door.notices()).toMatchObject([{ values: { code } }, { values: { code: "CODE-1002" } }]);
    await door.operators.decide("CODE-1002", "approved", [account]);
    expect(await door.ruleFor(says())).toBeUndefined();
  });

  it("takes no guessed code, nor the same one twice", async () => {
    const door = openDoor({ access: "pairing" });
    await door.ruleFor(says());
    for (const guess of ["", "CODE-1002", "CODE-100", "CODE-10011", "ann", "test/main", "__proto__"])
      await expect(door.operators.decide(guess, "approved", [account])).rejects.toThrow("nobody has this code");
    await door.operators.decide(code, "approved", [account]);
    await expect(door.operators.decide(code, "denied", [account])).rejects.toThrow("nobody has this code");
    expect(await door.ruleFor(says())).toBeUndefined();
  });

  it("gives no code for a day to whom an operator denied one", async () => {
    const door = openDoor({ access: "pairing" });
    await door.ruleFor(says());
    await door.operators.decide(code, "denied", [account]);
    expect(await door.ruleFor(says())).toBe("pairing denied");
    expect(door.notices()).toHaveLength(1);
    expect(await door.operators.asked([account])).toEqual([]);
  });

  it("is of one account, and can be taken back by the person's id", async () => {
    const door = openDoor({ access: "pairing" });
    await door.operators.decide("test/main/ann", "approved", [account]);
    expect(await door.ruleFor(says())).toBeUndefined();
    const elsewhere = says();
    const other = { ...elsewhere, address: { ...elsewhere.address, account: "second" } };
    expect(await door.ruleFor(other)).toBe("not paired");
    await door.operators.decide("test/main/ann", "denied", [account]);
    expect(await door.ruleFor(says())).toBe("pairing denied");
  });

  it("decides for every replica within seconds, without a look-up for each message", async () => {
    const records = new Map<string, unknown>();
    const time = createTime();
    const [here, there] = [1, 2].map(() => openDoor({ access: "pairing" }, { records, time }));
    expect(await there!.ruleFor(says())).toBe("not paired");
    await here!.operators.decide(code, "approved", [account]);
    time.pass(5_000);
    expect(await there!.ruleFor(says())).toBeUndefined();
    const { reads } = there!;
    const sentAt = time.now() + 600_000;
    for (let i = 0; i < 20; i++) await there!.ruleFor({ ...says(), sentAt });
    expect(there!.reads).toBe(reads);
    await here!.operators.decide("test/main/ann", "denied", [account]);
    time.pass(5_000);
    expect(await there!.ruleFor(says())).toBe("pairing denied");
  });

  it("of two replicas at once gives one code, and one notice", async () => {
    const records = new Map<string, unknown>();
    const doors = [1, 2].map(() => openDoor({ access: "pairing" }, { records }));
    await Promise.all([...doors, ...doors].map((door) => door.ruleFor(says())));
    expect(await doors[0]!.operators.asked([account])).toHaveLength(1);
    expect(doors.flatMap((door) => door.notices())).toHaveLength(1);
  });

  it("keeps a hundred open codes at most, and none for ids that nobody could read out", async () => {
    const door = openDoor({ access: "pairing" });
    expect(await door.ruleFor(says({ user: "x".repeat(5_000) }))).toBe("not paired");
    for (let i = 0; i < 103; i++) expect(await door.ruleFor(says({ user: `u${i}` }))).toBe("not paired");
    expect(await door.operators.asked([account])).toHaveLength(100);
    expect(door.notices()).toHaveLength(100);
  });

  it("tells the code when the platform sends again what could not be published", async () => {
    const door = openDoor({ access: "pairing" });
    door.outage = new InfrastructureError("the bus is down");
    const first = says();
    await expect(door.inbound.accept([first])).rejects.toThrow("the bus is down");
    door.outage = undefined;
    await door.inbound.accept([first]);
    expect(door.notices()).toHaveLength(1);
  });
});

describe("rates", () => {
  const perMinute = { person: 3, account: Infinity, tenant: Infinity };
  const sendMany = async (door: ReturnType<typeof openDoor>, count: number, said: Said = {}) => {
    const rules: (string | undefined)[] = [];
    for (let i = 0; i < count; i++) rules.push(await door.ruleFor(says(said)));
    return rules;
  };

  it("set aside what one person writes beyond them, tell it once, and leave others alone", async () => {
    const door = openDoor({ perMinute });
    const tooMany = "too many messages";
    expect(await sendMany(door, 6)).toEqual([undefined, undefined, undefined, tooMany, tooMany, tooMany]);
    expect(door.notices()).toMatchObject([{ notice: "tooMany", values: { seconds: "20" } }]);
    expect(await sendMany(door, 1, { user: "bob" })).toEqual([undefined]);
    door.time.pass(20_000);
    expect(await sendMany(door, 2)).toEqual([undefined, tooMany]);
    expect(door.notices()).toHaveLength(1);
    door.time.pass(60_000);
    expect(await sendMany(door, 4)).toEqual([undefined, undefined, undefined, tooMany]);
    expect(door.notices()).toHaveLength(2);
  });

  it("are also of an account as a whole", async () => {
    const door = openDoor({ perMinute: { person: Infinity, account: 2, tenant: Infinity } });
    expect(await sendMany(door, 2)).toEqual([undefined, undefined]);
    expect(await sendMany(door, 1, { user: "bob" })).toEqual(["too many messages"]);
  });

  it("are also of a tenant, in all of its accounts, and of no other's", async () => {
    const door = openDoor({ perMinute: { person: Infinity, account: Infinity, tenant: 2 } });
    const elsewhere = (tenant: string, name: string): InboundMessage => {
      const message = says();
      const other = { tenant, channel: "test", account: name };
      const address = { ...message.address, ...other, conversation: conversationId(other, "ann") };
      return { ...message, id: messageId(other, "ann", message.id), address };
    };
    expect(await door.ruleFor(elsewhere("acme", "one"))).toBeUndefined();
    expect(await door.ruleFor(elsewhere("acme", "two"))).toBeUndefined();
    expect(await door.ruleFor(elsewhere("acme", "three"))).toBe("too many messages");
    expect(await door.ruleFor(elsewhere("globex", "one"))).toBeUndefined();
  });

  it("do not count what the platform has to send again", async () => {
    const door = openDoor({ perMinute });
    door.outage = new InfrastructureError("the bus is down");
    const first = says();
    for (let i = 0; i < 10; i++) await expect(door.inbound.accept([first])).rejects.toThrow("the bus is down");
    door.outage = undefined;
    expect(await door.ruleFor(first)).toBeUndefined();
    expect(await sendMany(door, 3)).toEqual([undefined, undefined, "too many messages"]);
  });

  it("are not for what is set aside anyway", async () => {
    const door = openDoor({ perMinute });
    await sendMany(door, 10, { group: "team", message: { addressed: false } });
    expect(await sendMany(door, 1, { group: "team" })).toEqual([undefined]);
  });
});

describe("bots", () => {
  const bot = { user: "robot", bot: true, group: "team" } as const;
  it("are not answered", async () => {
    expect(await openDoor({}).ruleFor(says(bot))).toBe("from a bot");
  });

  it("that are, are so eight times in a row, until a person writes or they are silent for ten minutes", async () => {
    const door = openDoor({ bots: true });
    const row = async (count: number) => {
      const rules = [];
      for (let i = 0; i < count; i++) rules.push(await door.ruleFor(says(bot)));
      return rules.filter((rule) => rule === undefined).length;
    };
    expect(await row(12)).toBe(8);
    expect(door.aside.at(-1)?.rule).toBe("bots in a loop");
    await door.ruleFor(says({ group: "team", message: { addressed: false } }));
    expect(await row(12)).toBe(8);
    door.time.pass(5 * 60_000);
    expect(await row(1)).toBe(0);
    door.time.pass(10 * 60_000);
    expect(await row(1)).toBe(1);
  });
});

describe("whoever waits for an answer", () => {
  it("is told the rule, the code, and when to come back, in their language, and nothing is sent beside it", async () => {
    const door = openDoor({ access: "pairing" }, { refuses: true });
    const refusal = await door.inbound.admit(says({ locale: "es" })).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ rule: "not paired", code: "not_paired", status: 403 });
    expect((refusal as RefusedError).message).toContain(`Todavía no te conozco. Da el código ${code}`);
    await door.inbound.accept([says({ user: "bob" })]);
    expect(door.published).toEqual([]);
    expect(door.aside).toHaveLength(2);
  });

  it("is heard where they may write, which is asked without a code or an entry", async () => {
    const door = openDoor({ access: "pairing", allow: new Set(["ann"]) });
    const hears = (user: string) => door.inbound.hears(says({ user }));
    expect([await hears("ann"), await hears("bob")]).toEqual([true, false]);
    await door.operators.decide("test/main/bob", "approved", [account]);
    expect(await hears("bob")).toBe(true);
    expect([door.aside, door.published, await door.operators.asked([account])]).toEqual([[], [], []]);
  });

  it("is asked to come back by a rate", async () => {
    const door = openDoor({ perMinute: { person: 1, account: Infinity, tenant: Infinity } }, { refuses: true });
    await door.inbound.admit(says());
    const refusal = await door.inbound.admit(says()).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ status: 429, headers: { "retry-after": "60" } });
  });
});

describe("the gateway's sentences", () => {
  it("are there in every language, with everything that stands in them", () => {
    for (const key of noticeKeys) {
      const values = {
        code: "ABCD-EFGH",
        seconds: "17",
        minutes: "23",
        from: "shop",
        n: "3",
        agent: "Support",
        list: "- Support",
      };
      const all = ["en", "de", "es"].map((locale) => noticeText(key, locale, values));
      // "No" is English and Spanish.
      expect(new Set(all).size).toBe(key === "no" ? 2 : 3);
      for (const text of all) {
        expect(text).not.toMatch(/\{\{|undefined/);
        expect(text.includes("ABCD-EFGH")).toBe(key === "unpaired");
        expect(text.includes("17")).toBe(key === "tooMany");
        expect(text.includes("23")).toBe(key === "personAsked" || key === "inLine");
      }
    }
  });

  it("are English where the language is not known, whatever is called one", () => {
    for (const locale of [undefined, "", "fr", "en-GB", "__proto__", "constructor", "dev", "cimode"])
      expect(noticeText("stopped", locale)).toBe("Stopped.");
    expect(noticeText("stopped", "de-CH")).toBe("Abgebrochen.");
    expect(noticeText("stopped", "ES_mx")).toBe("Parado.");
  });
});
