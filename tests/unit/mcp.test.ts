import { describe, expect, it } from "vitest";
import { createGuard } from "../../adapters/mcp/server/guard.ts";
import { createConversations } from "../../adapters/mcp/server/conversations.ts";
import { mcpGateway, mcpName, mcpServer } from "../../adapters/mcp/settings.ts";
import type { Holdings } from "../../src/agent-calls.ts";
import { started } from "../../src/announce.ts";
import type { AgentId, ConversationId } from "../../src/ids.ts";
import { direct, memoryRecords, message, testClock } from "./client-agent.fixture.ts";

const problems = (given: unknown) =>
  mcpServer.safeParse(given).error?.issues.map(({ path, message: words }) => `${path.join(".")}: ${words}`) ?? [];

describe("the settings of MCP servers", () => {
  it("take a command or a url, each with its own; a mistake is named where it is", () => {
    expect(mcpServer.parse({ command: "npx" })).toMatchObject({
      args: [],
      needs: "person",
      trust: false,
      tools: ["*"],
      asks: false,
    });
    expect(mcpServer.parse({ url: "https://mcp.example.com" })).toMatchObject({ headers: {}, needs: "person" });
    expect(problems({})).toEqual([": says neither command nor url: give one of them"]);
    expect(problems({ command: "npx", url: "https://a.example" })[0]).toContain("command");
    expect(problems({ url: "ftp://a.example" })).toEqual(["url: must be a URL that begins with http:// or https://"]);
    expect(problems({ command: "npx", needs: "nobody" })[0]).toContain("needs: must be one of nothing");
    expect(
      problems({ url: "https://a.example", oauth: { issuer: "https://a.example", clientId: "a", clientSecret: "" } }),
    ).toEqual(["oauth.clientSecret: is empty: set it, or leave oauth out"]);
    expect(["a b", "agent", "a_b", "x".repeat(25)].filter((name) => mcpName.safeParse(name).success)).toEqual([]);
  });

  it("of the gateway's own: keys that nobody guesses, each once, and only to ask unless it is said", () => {
    const key = "a-key-of-16-characters";
    expect(mcpGateway.parse({ keys: [{ key, name: "crm" }] }).keys[0]).toMatchObject({
      tenant: "default",
      scopes: ["ask"],
    });
    expect(mcpGateway.safeParse({ keys: [{ key: "short", name: "crm" }] }).success).toBe(false);
    expect(
      mcpGateway.safeParse({
        keys: [
          { key, name: "a" },
          { key, name: "b" },
        ],
      }).success,
    ).toBe(false);
  });
});

it("a request by another name, or from a page of another site, is refused", () => {
  const guard = createGuard({
    host: "10.0.0.7",
    publicUrl: "https://chat.example.com",
    hosts: ["inside"],
    origins: ["https://ide.example"],
  });
  const ask = (host: string, origin?: string) =>
    guard(new Request("http://x/mcp", { headers: { host, ...(origin === undefined ? {} : { origin }) } })) ===
    undefined;
  expect(
    ["localhost:3000", "127.0.0.1", "[::1]:3000", "10.0.0.7:3000", "CHAT.example.com", "inside:80"].every((host) =>
      ask(host),
    ),
  ).toBe(true);
  expect(["evil.example", "chat.example.com.evil.example", "10.0.0.8", "a b"].some((host) => ask(host))).toBe(false);
  expect(ask("localhost", "https://chat.example.com") && ask("localhost", "https://ide.example")).toBe(true);
  expect(ask("localhost", "http://chat.example.com") || ask("localhost", "null")).toBe(false);
});

describe("the list of conversations", () => {
  const at = (n: number, tenant = "t") => {
    const conversation = `${tenant}:telegram:a:${n}` as ConversationId;
    const event = { ...message("hello"), receivedAt: n, address: { ...direct, tenant, conversation, chat: String(n) } };
    return started({ ...event, participant: { ...event.participant, user: String(n) } });
  };
  const none: Holdings = {
    items: [],
    notes: [],
    notesOff: false,
    media: [],
    conversations: [],
    joiners: [],
    answers: 0,
  };

  it("holds the newest, once each, of a tenant; what a program asks here is in none", async () => {
    const records = memoryRecords();
    const list = createConversations({ records, clock: testClock(), holdings: async () => none });
    await Promise.all(Array.from({ length: 40 }, (_, n) => list.note([at(n), at(n), at(n, "other")])));
    await list.note([{ ...at(99), of: { ...at(99).of, channel: "mcp" } }]);
    expect((await list.list("t")).map(({ at: when }) => when)).toEqual(Array.from({ length: 40 }, (_, n) => 39 - n));
    await list.erase(["t:telegram:a:7", "t:telegram:a:none"]);
    expect(await list.list("t")).toHaveLength(39);
    expect(await list.list("other")).toHaveLength(40);
    for (let n = 100; n < 3_200; n += 100) await list.note(Array.from({ length: 100 }, (_, more) => at(n + more)));
    expect((await list.list("t")).length).toBeLessThanOrEqual(2_048);
    expect((await list.list("t"))[0]?.at).toBe(3_199);
  });

  it("is searched in what agents remember, each agent asked once", async () => {
    const asked: AgentId[] = [];
    const holdings = async (agent: AgentId): Promise<Holdings> => {
      asked.push(agent);
      const item = {
        role: "user",
        text: `${"x".repeat(500)} the Blue bicycle ${"y".repeat(500)}`,
        at: 5,
        turn: "t1" as never,
      } as const;
      return { ...none, summary: "they like trams", items: [item] };
    };
    const list = createConversations({ records: memoryRecords(), clock: testClock(), holdings });
    // One person's two conversations have one agent.
    await list.note([at(1), at(2)]);
    const [found, ...more] = await list.search("t", "blue BICYCLE", 10);
    expect(more).toEqual([]);
    expect(found?.text).toContain("the Blue bicycle");
    expect(found?.text.length).toBeLessThanOrEqual(300);
    expect(asked).toHaveLength(1);
    expect((await list.search("t", "tram", 10)).map(({ role }) => role)).toEqual(["summary"]);
    expect(await list.search("other", "tram", 10)).toEqual([]);
  });
});
