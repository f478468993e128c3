/** The gateway as an MCP server, behind the official client for Python. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { needs } from "../needs.ts";
import { token } from "../fakes/tokens.ts";
import { pythonForMcp } from "./mcp-fixture.ts";
import { eventually, leaks, openStage, said } from "./stage.ts";

const python3 = needs("python3");
const ann = 7_220_001;
const team = -1_002_200_000_001;
const keys = { all: "canary-key-of-all-0001", asks: "canary-key-of-asks-0002", other: "canary-key-of-other-0003" };

interface Call {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}
interface Result {
  readonly text: string;
  readonly failed: boolean;
}

describe.skipIf(python3.missing)("the gateway as an MCP server", { timeout: 120_000 }, () => {
  let python = "";
  beforeAll(async () => {
    python = await pythonForMcp(python3.path);
  }, 300_000);

  function open() {
    return openStage({
      config: {
        agents: { assistant: {}, clerk: { name: "Clerk", instructions: "You keep the books." } },
        mcpServer: {
          keys: [
            { key: keys.all, name: "crm", scopes: ["ask", "read", "send"] },
            { key: keys.asks, name: "ide" },
            { key: keys.other, name: "elsewhere", tenant: "other", scopes: ["ask", "read", "send"] },
          ],
        },
      },
    });
  }

  async function client(url: string, key: string, calls: readonly Call[] = []) {
    const script = join(import.meta.dirname, "mcp-client.py");
    const out = await new Promise<string>((resolve, reject) => {
      const child = execFile(python, [script, `${url}/mcp`, key], { timeout: 60_000 }, (error, stdout) => {
        if (error === null) resolve(stdout);
        else reject(error);
      });
      child.stdin?.end(calls.map((call) => `${JSON.stringify(call)}\n`).join(""));
    });
    const [first, ...rest] = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
    return { tools: (first as { tools: string[] }).tools, results: rest as Result[] };
  }

  const post = (url: string, headers: Record<string, string>, body: unknown = {}) =>
    fetch(`${url}/mcp`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });

  test("asks agents: answers, names, memory, and the same again by its id", async () => {
    const stage = await open();
    const { model, gateway } = stage;
    let runs = 0;
    model.script(({ body, turn }) => {
      runs += 1;
      const clerk = JSON.stringify(body).includes("You keep the books.");
      const seen = JSON.stringify(body).includes("My name is Ann");
      return { text: `${clerk ? "clerk" : "assistant"} on ${turn.at(-1)}${seen ? ", Ann" : ""}` };
    });
    const ask = (args: Record<string, unknown>): Call => ({ name: "ask_agent", arguments: args });
    const { tools, results } = await client(gateway.url, keys.asks, [
      ask({ question: "one" }),
      ask({ question: "My name is Ann", agent: "clerk", conversation: "c" }),
      ask({ question: "two", agent: "clerk", conversation: "c" }),
      ask({ question: "three", id: "same" }),
      ask({ question: "three", id: "same" }),
      ask({ question: "four", id: "same" }),
      ask({ question: "five", agent: "nobody" }),
    ]);
    expect(tools).toEqual(["ask_agent"]);
    expect(results).toEqual([
      { text: "assistant on one", failed: false },
      { text: "clerk on My name is Ann, Ann", failed: false },
      { text: "clerk on two, Ann", failed: false },
      { text: "assistant on three", failed: false },
      { text: "assistant on three", failed: false },
      { text: "id: another question came under it before; a new one needs a new id", failed: true },
      { text: 'agent: there is no "nobody"; there are assistant, clerk', failed: true },
    ]);
    expect(runs).toBe(4);
    // What one caller said in a conversation of a name is not another's.
    const { results: others } = await client(gateway.url, keys.other, [
      ask({ question: "six", agent: "clerk", conversation: "c" }),
    ]);
    expect(others[0]?.text).toBe("clerk on six");
    expect(leaks(stage)).toEqual([]);
  });

  test("an answer outlives the gateway that was asked", async () => {
    const { model, gateway } = await open();
    model.script(() => ({ text: "here it is", latencyMs: 1_500 }));
    const call = { name: "ask_agent", arguments: { question: "slow", id: "s" } };
    const asked = { jsonrpc: "2.0", id: 1, method: "tools/call", params: call };
    const auth = { authorization: `Bearer ${keys.asks}` };
    const first = post(gateway.url, auth, asked)
      .then((answer) => answer.text())
      .catch(() => undefined);
    await eventually("the model is asked", () => model.log.length > 0);
    await gateway.kill();
    await first;
    await gateway.start();
    const { results } = await client(gateway.url, keys.asks, [call]);
    expect(results).toEqual([{ text: "here it is", failed: false }]);
  });

  test("conversations: listed, searched, written to; another tenant's are as if they were not there", async () => {
    const stage = await open();
    const { platform, gateway } = stage;
    await platform.user(ann).sends(ann, `the blue bicycle ${token(ann, 1)}`);
    await platform.user(ann).sends(team, "@ascent_test_bot the red tram");
    await eventually("answers", () => said(stage, ann).length + said(stage, team).length === 2);
    const calls: Call[] = [
      { name: "list_conversations", arguments: {} },
      { name: "search_conversations", arguments: { words: "BLUE bicycle" } },
      { name: "send_message", arguments: { to: `telegram/main/${ann}`, text: "Your bicycle is **ready**", id: "m1" } },
      { name: "send_message", arguments: { to: `telegram/main/${ann}`, text: "Your bicycle is **ready**", id: "m1" } },
      { name: "send_message", arguments: { to: `telegram/main/${team}`, kind: "group", text: "All aboard" } },
      { name: "send_message", arguments: { to: "telegram/elsewhere/5", text: "x" } },
    ];
    const { tools, results } = await client(gateway.url, keys.all, calls);
    expect(tools).toEqual(["ask_agent", "list_conversations", "search_conversations", "send_message"]);
    const list = JSON.parse(results[0]?.text ?? "") as { conversations: { to: string; kind: string }[]; total: number };
    expect(list.total).toBe(2);
    expect(list.conversations.map(({ to, kind }) => [to, kind])).toEqual(
      expect.arrayContaining([
        [`telegram/main/${ann}`, "direct"],
        [`telegram/main/${team}`, "group"],
      ]),
    );
    const found = JSON.parse(results[1]?.text ?? "") as { found: { to: string; role: string; text: string }[] };
    expect(found.found.map(({ to }) => to)).toEqual([`telegram/main/${ann}`, `telegram/main/${ann}`]);
    expect(results.slice(2, 5).map(({ failed }) => failed)).toEqual([false, false, false]);
    expect(results[5]).toMatchObject({ failed: true });
    await eventually("the words", () => said(stage, ann).length === 2 && said(stage, team).length === 2);
    expect(said(stage, ann)[1]).toBe("Your bicycle is ready");

    const others = (await client(gateway.url, keys.other, calls.slice(0, 3))).results;
    expect(others.map(({ text }) => text)).toEqual([
      '{"conversations":[],"total":0}',
      '{"found":[]}',
      expect.stringContaining('no account "telegram/main" is configured'),
    ]);
    expect(said(stage, ann)).toHaveLength(2);

    // What a person wants forgotten is forgotten here, too.
    await platform.user(ann).sends(ann, "/forget");
    await eventually("asked", () => said(stage, ann).length === 3);
    await platform.user(ann).sends(ann, "/forget yes");
    await eventually("forgotten", () => said(stage, ann).length === 4);
    const after = (await client(gateway.url, keys.all, calls.slice(0, 2))).results;
    expect(after.map(({ text }) => text).join()).not.toContain(String(ann));
    expect(leaks(stage)).toEqual([]);
  });

  test("without a key, from another site, by another name, too large or senseless: refused, and told nothing", async () => {
    const stage = await open();
    const { url } = stage.gateway;
    const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
    const auth = { authorization: `Bearer ${keys.asks}` };
    expect((await post(url, {}, list)).status).toBe(401);
    expect((await post(url, { authorization: "Bearer canary-key-of-nobody" }, list)).status).toBe(401);
    expect((await post(url, { ...auth, origin: "https://evil.example" }, list)).status).toBe(403);
    expect((await post(url, auth, list)).status).toBe(200);
    expect((await fetch(`${url}/mcp`, { headers: { ...auth, accept: "text/event-stream" } })).status).toBe(405);
    expect((await post(url, auth, "x".repeat(1_100_000))).status).toBe(413);
    expect((await post(url, auth, `${"[".repeat(20_000)}`)).status).toBe(400);
    const denied = await post(url, auth, {
      jsonrpc: "2.0",
      id: 2,
      method: "tools/call",
      params: { name: "send_message", arguments: { to: `telegram/main/${ann}`, text: "x" } },
    });
    expect(await denied.text()).toMatch(/not found/);
    expect(leaks(stage)).toEqual([]);
  });
});
