/** Sources that post in their own words: the recipes of docs/webhooks.md as they stand there, and what no mapping may do. */
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import type { HttpServer } from "../../adapters/http/index.ts";
import { webhook } from "../../channels/webhook/index.ts";
import { webhookSettings, type WebhookSettings } from "../../channels/webhook/settings.ts";
import { InputError, OverloadedError, RefusedError } from "../../src/errors.ts";
import type { InboundMessage } from "../../src/message.ts";
import { contentRule, openPolicy } from "../../src/policy.ts";
import { probe } from "../contract/channel-deps.ts";
import { serveChannels, testDeps } from "./web-deps.ts";

const root = join(import.meta.dirname, "../..");
const ends: (() => unknown)[] = [];
afterEach(async () => void (await Promise.all(ends.splice(0).map((end) => end()))));

interface Payload {
  readonly headers: Record<string, string>;
  readonly body: Record<string, unknown>;
}
const payload = (name: string) =>
  JSON.parse(readFileSync(join(root, `tests/contract/payloads/sources/${name}.json`), "utf8")) as Payload;

/** The recipe below this heading. */
function recipe(heading: string): readonly [string, object] {
  const text = readFileSync(join(root, "docs/webhooks.md"), "utf8").split(`### ${heading}\n`)[1] ?? "";
  const yaml = /```yaml\n([^]*?)```/.exec(text)?.[1] ?? "";
  const { channels } = parse(yaml) as { channels: { webhook: Record<string, object> } };
  return Object.entries(channels.webhook)[0] ?? ["", {}];
}

const secret = "a secret, of a source".replaceAll(/[ ,]/g, "-");

async function start(account: string, given: object, own = secret) {
  const deps = testDeps("webhook", { account });
  const seen = probe({ tenant: "default", channel: "webhook", account });
  const all = { ...deps, inbound: { ...deps.inbound, setAside: seen.deps.inbound.setAside } };
  const settings: WebhookSettings = webhookSettings.parse({ ...given, secret: own });
  const channel = webhook(settings, all, createSafeFetch());
  ends.push(() => channel.close?.());
  const { server, url } = await serveChannels([channel], deps.log);
  ends.push(() => (server as HttpServer).drain(0));
  const send = (body: string, headers: Record<string, string>) =>
    fetch(`${url}/webhooks/in/${account}`, { method: "POST", body, headers });
  const messages = () => deps.accepted as InboundMessage[];
  return { deps, channel, send, messages, aside: seen.aside };
}

const bearer = { authorization: `Bearer ${secret}`, "content-type": "application/json" };
const hmac = (text: string, encoding: "hex" | "base64") =>
  `sha256=${createHmac("sha256", secret).update(text).digest(encoding)}`;
const signedAs: Record<string, (text: string) => Record<string, string>> = {
  form: (text) => ({ "typeform-signature": hmac(text, "base64") }),
  alert: () => bearer,
  ticket: (text) => ({ "x-hub-signature-256": hmac(text, "hex") }),
};

async function posted(name: string, change: (of: Payload) => Payload = (of) => of) {
  const stage = await start(...recipe(`A${name === "alert" ? "n" : ""} ${name}`));
  const { headers, body } = change(payload(name));
  const text = JSON.stringify(body);
  const send = (more: Record<string, string> = signedAs[name]!(text)) => stage.send(text, { ...headers, ...more });
  return { ...stage, send, text };
}

const textOf = (event: InboundMessage | undefined) => event?.message.parts[0];

describe("the recipes", () => {
  test("a form is a message of whoever filled it in", async () => {
    const { send, messages } = await posted("form");
    expect((await send()).status).toBe(202);
    expect(textOf(messages()[0])).toMatchObject({
      text: [
        "What is your name?: Ann Lee",
        "Where can we write to you?: ann@example.org",
        "How many seats do you need?: 42",
        "May we call you?: false",
      ].join("\n"),
    });
    expect(messages()[0]).toMatchObject({
      address: { kind: "direct", thread: "a3a12ec67a1365927098a606107fac15" },
      participant: { user: "ann@example.org", name: "Ann Lee" },
    });
  });

  test("an alert is a message of its group's conversation", async () => {
    const { send, messages } = await posted("alert");
    expect((await send()).status).toBe(202);
    expect(textOf(messages()[0])).toMatchObject({
      text: [
        "FIRING",
        "- DiskFull on db-1:9100 (firing): 3 % left on /var",
        "- DiskFull on db-2:9100 (resolved): 12 % left on /var",
      ].join("\n"),
    });
    expect(messages()[0]).toMatchObject({ address: { thread: '{}:{alertname="DiskFull"}' } });
    // Said again in the same bytes it is the same.
    expect((await send()).status).toBe(202);
    expect(new Set(messages().map(({ id }) => id)).size).toBe(1);
  });

  test("a ticket is a conversation of all who write in it, and what is none of it is set aside", async () => {
    const { send, messages } = await posted("ticket");
    const response = await send();
    expect([response.status, await response.json()]).toEqual([202, { id: "72d3162e-cc78-11f0-81ab-4c9367dc0958" }]);
    expect(messages()[0]).toMatchObject({
      address: { kind: "group", chat: "acme/shop#17" },
      participant: { user: "ann-lee" },
      message: { parts: [{ text: "Checkout hangs\n\nIt hangs after **Pay**.\r\nFirefox 140." }] },
    });

    const closed = await posted("ticket", ({ headers, body }) => ({ headers, body: { ...body, action: "closed" } }));
    expect((await closed.send()).status).toBe(202);
    expect(closed.messages().map((one) => contentRule(one, openPolicy))).toEqual(["empty"]);
    const comment = await posted("ticket", ({ headers, body }) => ({
      headers: { ...headers, "x-github-event": "issue_comment" },
      body: { ...body, action: "created", comment: { body: "/reset all of it" } },
    }));
    await comment.send();
    expect(comment.messages()[0]?.message).toMatchObject({ parts: [{ text: "/reset all of it" }], addressed: true });
    expect(comment.messages()[0]?.message.command).toBeUndefined();
  });

  test.each(["form", "alert", "ticket"])("a %s that nobody signed is refused, and nothing is kept", async (name) => {
    const { send, messages, aside, text } = await posted(name);
    const wrong = Object.entries(signedAs[name]!(text)).map(([header, value]) => [
      {},
      { [header]: "" },
      { [header]: value.slice(0, -1) },
      { [header]: `${value.slice(0, -1)}~` },
      { [header]: value.replace(/^(sha256=|Bearer )/, "") },
    ]);
    for (const headers of wrong.flat()) expect((await send(headers as Record<string, string>)).status).toBe(401);
    expect([...messages(), ...aside]).toEqual([]);
    expect((await send()).status).toBe(202);
  });
});

const mapping = { text: "text", user: '"u"', conversation: "where" };
const plain = (more: object = {}) => ({ signature: { scheme: "secret" }, mapping: { ...mapping, ...more } });

describe("an event that the mapping does not fit", () => {
  test("is kept as a dead letter, and read again once the mapping is mended", async () => {
    const broken = await start("src", plain({ conversation: "place.id" }));
    expect((await broken.send(JSON.stringify({ text: "CANARY", where: "here" }), bearer)).status).toBe(202);
    expect(broken.messages()).toEqual([]);
    const [letter] = broken.aside;
    expect(letter).toMatchObject({
      account: { channel: "webhook", account: "src" },
      raw: { body: { text: "CANARY" } },
    });
    expect(JSON.stringify(letter)).not.toContain(secret);
    expect(letter?.reason).toBe("MappingError: conversation: gives nothing");
    await expect(broken.channel.reread?.(letter?.raw)).rejects.toBeInstanceOf(InputError);
    await expect(broken.channel.reread?.({ other: 1 })).rejects.toBeInstanceOf(InputError);
    expect(broken.deps.logged.join("\n")).not.toContain("CANARY");

    const mended = await start("src", plain());
    await mended.channel.reread?.(letter?.raw);
    await mended.channel.reread?.(letter?.raw);
    expect(textOf(mended.messages()[0])).toMatchObject({ text: "CANARY" });
    expect(new Set(mended.messages().map(({ id }) => id)).size).toBe(1);
  });

  test.each([
    ["a list", { text: "list" }],
    ["an error", { text: '$number("CANARY")' }],
    ["no user", { user: "nobody" }],
    ["a function", { text: "$sum" }],
    ["no web address", { callbackUrl: '"file:///etc/passwd"' }],
    ["too much", { text: '$join([1..20000].("xxxxxxxxxx"))' }],
  ])("because it gives %s", async (_what, more) => {
    const { send, aside, messages } = await start("src", plain(more));
    expect((await send('{"text":"t","where":"w","list":[1,2]}', bearer)).status).toBe(202);
    expect([aside.length, messages()]).toEqual([1, []]);
    expect(aside[0]?.reason).not.toContain("CANARY");
  });

  test.each([
    ["a regular expression that never ends", '$match(text, /^(a+)+$/) ? "yes" : "no"'],
    ["a function that calls itself", "($f := function($n) { $f($n + 1) }; $f(1))"],
    ["memory without end", "($f := function($s, $n) { $n = 0 ? $s : $f($s & $s, $n - 1) }; $length($f(text, 40)))"],
  ])("because of %s: others are not held up, and the next event is read", async (_what, text) => {
    const { send, aside, messages } = await start(
      "src",
      plain({ text: `where = "bad" ? ${text} : text`, timeoutMs: 500 }),
    );
    const other = await start("other", plain());
    const bad = send(JSON.stringify({ text: `${"a".repeat(40)}!`, where: "bad" }), bearer);
    const began = performance.now();
    expect((await other.send('{"text":"t","where":"w"}', bearer)).status).toBe(202);
    expect(performance.now() - began).toBeLessThan(2_000);
    expect((await bad).status).toBe(202);
    expect(aside).toHaveLength(1);
    expect((await send('{"text":"t","where":"w"}', bearer)).status).toBe(202);
    expect(messages()).toHaveLength(1);
  });
});

describe("what comes in", () => {
  test("a form's own fields are read as they are posted", async () => {
    const { send, messages } = await start("src", plain({ text: 'text & ": " & $join(color, ", ")' }));
    const form = new URLSearchParams([
      ["text", "Grüße"],
      ["where", "w"],
      ["color", "red"],
      ["color", "blue"],
    ]);
    const headers = { ...bearer, "content-type": "application/x-www-form-urlencoded" };
    expect((await send(form.toString(), headers)).status).toBe(202);
    expect(textOf(messages()[0])).toMatchObject({ text: "Grüße: red, blue" });
    expect((await send("{", bearer)).status).toBe(400);
  });

  test("one that the core does not take now is asked for again", async () => {
    const { deps, send, messages } = await start("src", plain());
    deps.fail = new OverloadedError("full");
    expect((await send('{"text":"t","where":"w"}', bearer)).status).toBe(503);
    deps.fail = undefined;
    expect((await send('{"text":"t","where":"w"}', bearer)).status).toBe(202);
    expect(messages()).toHaveLength(1);
  });

  test("another body under the same id is refused", async () => {
    const { send } = await start("src", plain({ id: '"1"' }));
    const statuses = [];
    for (const text of ["a", "a", "b"])
      statuses.push((await send(JSON.stringify({ text, where: "w" }), bearer)).status);
    expect(statuses).toEqual([202, 202, 409]);
  });
});

describe("what a rule keeps out", () => {
  const event = JSON.stringify({ text: "a", where: "w" });

  test("is received with nothing kept, and comes in once the rule lets it", async () => {
    const { send, deps, messages, aside } = await start("src", plain({ id: '"1"' }));
    deps.denial = new RefusedError("Not here.", { rule: "not allowed" });
    const refused = await send(event, bearer);
    expect([refused.status, await refused.json()]).toEqual([202, { id: "1" }]);
    deps.denial = new RefusedError("Wait.", { rule: "too many messages", retryAfterMs: 1_500 });
    const late = await send(event, bearer);
    expect([late.status, late.headers.get("retry-after")]).toEqual([429, "2"]);
    expect([messages(), aside]).toEqual([[], []]);
    deps.denial = undefined;
    // Another body: nothing is known of that id.
    expect((await send(JSON.stringify({ text: "b", where: "w" }), bearer)).status).toBe(202);
    expect(textOf(messages()[0])).toMatchObject({ text: "b" });
    // What was let in stays so.
    deps.denial = new RefusedError("Not here.", { rule: "blocked" });
    expect((await send(JSON.stringify({ text: "b", where: "w" }), bearer)).status).toBe(202);
    expect(messages()).toHaveLength(2);
  });

  test("stays a dead letter where an operator has it read again", async () => {
    const { channel, deps, send, aside } = await start("src", plain({ text: "text.words" }));
    await send(JSON.stringify({ text: { words: [1, 2] }, where: "w" }), bearer);
    const given = aside[0]?.raw as { body: { text: { words: unknown } } };
    given.body.text.words = "a";
    deps.denial = new RefusedError("Not here.", { rule: "not allowed" });
    await expect(channel.reread?.(given)).rejects.toBe(deps.denial);
    deps.denial = undefined;
    await channel.reread?.(given);
    expect(deps.accepted).toHaveLength(1);
  });

  test.each([undefined, 1_500])(
    "from a binding is no dead letter, and is not asked for again (%s)",
    async (retryAfterMs) => {
      const { channel, deps, messages, aside } = await start("src", binding, "");
      deps.denial = new RefusedError("Not now.", { rule: "a rule", retryAfterMs });
      await channel.take?.(taken("hello", { id: "1" }));
      expect([messages(), aside]).toEqual([[], []]);
    },
  );
});

const binding = {
  signature: { scheme: "binding", name: "queue" },
  mapping: { text: "$ = 'poison' ? {} : $", user: '"q"', conversation: '"c"', id: "$headers.id" },
};
const taken = (body: string, headers: Record<string, string>) =>
  new Request("http://127.0.0.1/queue", { method: "POST", body, headers: { "dapr-api-token": secret, ...headers } });

describe("a binding", () => {
  test("gives any text, and what cannot be taken is a dead letter of its own", async () => {
    const { channel, messages, aside, deps } = await start("src", binding, "");
    expect([channel.binding, channel.paths]).toEqual(["queue", []]);
    await channel.take?.(taken("hello", { id: "1" }));
    await channel.take?.(taken("hello", { id: "1", traceparent: "another" }));
    expect(textOf(messages()[0])).toMatchObject({ text: "hello" });
    expect(new Set(messages().map(({ id }) => id)).size).toBe(1);
    // Another body under the same id, one that the mapping does not fit, twice, and one without an id.
    await channel.take?.(taken("other", { id: "1" }));
    for (const id of ["2", "3"]) await channel.take?.(taken("poison", { id }));
    await channel.take?.(taken("no id", {}));
    expect(new Set(aside.map(({ id }) => id)).size).toBe(4);
    expect(JSON.stringify(aside)).not.toContain(secret);
    deps.fail = new OverloadedError("full");
    await expect(channel.take?.(taken("later", { id: "4" }))).rejects.toBeInstanceOf(OverloadedError);
  });
});

describe("the gateway does not start", () => {
  const make = (given: object) => () =>
    webhook(webhookSettings.parse(given), testDeps("webhook", { account: "src" }), createSafeFetch());

  test.each([
    ["with an expression that is none", { ...plain({ text: "a +" }), secret }, "is no JSONata expression"],
    ["without the expression of the user", { secret, mapping: { text: "a", conversation: "b" } }, "user"],
    ["with an empty secret", { ...plain(), secret: " " }, "is empty, so that anybody"],
    ["with an own signature and no mapping", { secret, signature: { scheme: "secret" } }, "needs it: docs/webhooks.md"],
    [
      "with a binding whose events have no id",
      { signature: { scheme: "binding", name: "q" }, mapping },
      'comes from \\"q\\" twice is known',
    ],
    ["with a secret that the scheme does not have", { secret: "plain!", mapping }, "not valid"],
  ])("%s", (_what, given, words) => {
    expect(make(given)).toThrow(words);
  });
});
