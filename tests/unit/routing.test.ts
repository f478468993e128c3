import { describe, expect, it } from "vitest";
import { canonical, type AgentOf, type Who } from "../../src/agent-choice.ts";
import { createSwitch } from "../../src/agent-command.ts";
import { addressedIn, castOf } from "../../src/turn-agent.ts";
import type { Agent } from "../../src/agent.ts";
import type { Address, InboundEvent, InboundMessage } from "../../src/message.ts";
import type { Config } from "../../src/main/config.ts";
import { routeProblems } from "../../src/main/route-settings.ts";
import { createRouting } from "../../src/main/routing.ts";
import { describeRoutes, lostRoutes } from "../../src/main/routing-words.ts";
import { settings } from "../../src/main/settings.ts";
import { ann, direct, message } from "./client-agent.fixture.ts";

const agents = {
  assistant: {},
  support: { name: "Support", about: "orders", command: "support" },
  sales: { name: "Sales", offered: true },
  boss: {},
};
const channels = { web: { main: {} }, telegram: { main: { token: "1:a" }, shop: { token: "2:b", agent: "sales" } } };

function config(routes: readonly object[] = [], more: object = {}): Config {
  const parsed = settings.parse({ agents, channels, routes, ...more });
  return { ...parsed, file: undefined, model: { spec: "demo", because: "it is a test" } };
}
const problems = (routes: readonly object[], more: object = {}) => routeProblems(config(routes, more), ["help"]);

const place = (fields: Partial<Address> = {}): Address => ({
  ...direct,
  tenant: "default",
  channel: "telegram",
  account: "main",
  ...fields,
});
const group = (chat: string) => place({ kind: "group", chat });

describe("routes", () => {
  const routing = createRouting(
    config([
      { channel: "telegram", chat: [-100, "-200"], agent: "support" },
      { kind: "group", agent: "sales" },
      { person: 7, agent: "boss" },
      { language: "de", agent: "support" },
    ]),
  );

  it.each([
    ["a group by its chat", group("-100"), {}, "support"],
    ["another group", group("-300"), {}, "sales"],
    ["a person, in direct chats", place(), { user: "7" }, "boss"],
    ["a language, whatever the region", place(), { user: "8", locale: "de-AT" }, "support"],
    ["no language that only begins so", place(), { user: "8", locale: "den" }, "assistant"],
    ["nobody: the account's own", place({ account: "shop" }), { user: "8" }, "sales"],
    ["nobody at all: the first agent", place(), { user: "8" }, "assistant"],
    ["a person nowhere else", group("-300"), { user: "7" }, "sales"],
    ["whoever names the agent", place({ agent: "boss" }), { user: "8" }, "boss"],
    ["whoever names one that is not there", place({ agent: "gone" }), { user: "8" }, "assistant"],
  ])("know %s", (_, to, participant, agent) => {
    expect(routing.at(to, { user: "", ...participant }).agent).toBe(agent);
  });

  it("are wrong where they name no agent, or are never reached, and say so", () => {
    expect(problems([{ agent: "nobody" }])).toEqual([
      expect.stringContaining('routes.0.agent: there is no agent "nobody"'),
    ]);
    expect(problems([{ agent: "boss", offer: ["nobody"] }])).toHaveLength(1);
    expect(problems([{ kind: "group", person: 7, agent: "boss" }])).toEqual([expect.stringContaining("direct chats")]);
    const hidden = [
      { channel: "telegram", agent: "boss" },
      { channel: "telegram", kind: "group", agent: "sales" },
    ];
    expect(problems(hidden)).toEqual([expect.stringContaining("routes.1: is never reached, since routes.0")]);
    expect(problems(hidden.toReversed())).toEqual([]);
    expect(
      problems([
        { language: "de", agent: "boss" },
        { language: "de-AT", agent: "sales" },
      ]),
    ).toHaveLength(1);
    expect(
      problems([
        { kind: "direct", agent: "boss" },
        { person: 7, agent: "sales" },
      ]),
    ).toHaveLength(1);
  });

  it("and agents that hand over to nobody, or have a command that is another's, are wrong too", () => {
    const more = (given: object) => ({ agents: { ...agents, other: given } });
    expect(problems([], more({ handoffs: ["nobody"] }))).toEqual([expect.stringContaining("agents.other.handoffs")]);
    expect(problems([], more({ handoffs: ["other"] }))).toHaveLength(1);
    expect(problems([], more({ command: "help" }))).toEqual([expect.stringContaining("the gateway's own")]);
    expect(problems([], more({ command: "support" }))).toEqual([
      expect.stringContaining("agents.support has /support"),
    ]);
  });

  it("are shown per account, and those of no account are named", () => {
    const of = config([
      { channel: "telegram", account: "main", chat: 5, agent: "support" },
      { channel: "telegram", account: "main", kind: "group", agent: "sales" },
      { channel: "discord", agent: "boss" },
    ]);
    expect(describeRoutes(of).map(({ place: at, text }) => `${at}: ${text}`)).toEqual([
      "telegram/main: support (chat 5), else assistant in direct chats, sales in groups",
      "telegram/shop: sales",
      "web/main: assistant",
    ]);
    expect(lostRoutes(of)).toEqual([expect.stringContaining("routes.2 is of no account")]);
  });
});

describe("a conversation's own choice", () => {
  const support = { ...agents.support, handoffs: ["boss", "assistant"] };
  const handing = { ...agents, assistant: { handoffs: ["support"] }, support };
  const routing = createRouting(config([{ channel: "web", agent: "boss", offer: [] }], { agents: handing }));
  const at = (who: Who, to = place()) => routing.agentFor(to, who);

  it("is the person's, where that agent is offered there still", () => {
    expect(at({ choice: { picked: "support" } }).name).toBe("support");
    expect(at({ choice: { picked: "boss" } }).name).toBe("assistant");
    expect(at({ choice: { picked: "support" } }, place({ channel: "web" })).name).toBe("boss");
    expect(at({ choice: { picked: "gone" } }).name).toBe("assistant");
  });

  it("is a handoff's, for as long as the one that made it would answer", () => {
    const handed = { to: "boss", from: "assistant" };
    expect(at({ choice: { handed } })).toEqual({ name: "boss", base: "assistant" });
    expect(at({ choice: { handed, picked: "support" } }).name).toBe("support");
    expect(at({ choice: { handed } }, place({ account: "shop" })).name).toBe("sales");
    expect(at({ choice: { handed: { to: "gone", from: "assistant" } } }).name).toBe("assistant");
  });

  it("is a handoff's no more where the operator has taken that away, whoever else may hand over", () => {
    expect(at({ choice: { handed: { to: "sales", from: "assistant" } } }).name).toBe("assistant");
    const choice = { handed: { to: "boss", from: "assistant" } };
    const without = createRouting(config([], { agents: { ...handing, assistant: {} } }));
    expect(without.agentFor(place(), { choice })).toEqual({ name: "assistant", base: "assistant" });
    const inCode = createRouting(config(), (name) => (name === "assistant" ? ["boss"] : []));
    expect(inCode.agentFor(place(), { choice }).name).toBe("boss");
  });

  it("does not concern what another agent began", () => {
    expect(at({ begunBy: "boss", choice: { picked: "support" } })).toEqual({ name: "boss", base: "boss" });
    expect(at({ begunBy: "gone" }).name).toBe("assistant");
    expect(at({ begunBy: "boss", choice: { handed: { to: "boss", from: "assistant" } } }).base).toBe("assistant");
  });
});

describe("/agent", () => {
  const routing = createRouting(config());
  const traits = { whileRunning: "queue", turnTimeoutMs: 1, historyItems: 1 } as const;
  const agentOf: AgentOf = (to, who = {}) => {
    const found = routing.agentFor(to, who);
    return { ...found, title: `The ${found.name}`, agent: {} as Agent, traits };
  };
  const change = createSwitch(agentOf, routing.offeredAt);
  const command = (args: string, name = "agent", to = place()) =>
    message({ command: { name, args }, parts: [{ kind: "text", text: `/${name} ${args}`, format: "plain" }] }, ann, to);

  it("shows whom there is to choose from, and who answers", () => {
    const { answer, choice } = change(command(""), { picked: "sales" });
    expect(choice).toBeUndefined();
    expect(answer.notice).toBe("agentsHere");
    expect(answer.parts).toEqual([
      {
        kind: "text",
        format: "plain",
        text: "· Ascent – /agent assistant\n· Support – /support – orders\n▸ Sales – /agent sales",
      },
    ]);
  });

  it.each([
    ["support", { picked: "support" }],
    ["SALES", { picked: "sales" }],
  ])("chooses by %s", (args, choice) => {
    expect(change(command(args), undefined)).toMatchObject({ choice, answer: { notice: "agentPicked" } });
  });

  it("goes back, ends a handoff with it, and does not choose whom it does not offer", () => {
    const handed = { to: "boss", from: "assistant" };
    expect(change(command("default"), { handed }).choice).toEqual({});
    expect(change(command("assistant"), { picked: "sales" }).choice).toEqual({});
    expect(change(command("default"), undefined).choice).toBeUndefined();
    for (const name of ["boss", "nobody", "support2"]) {
      expect(change(command(name), undefined)).toEqual({ answer: expect.objectContaining({ notice: "agentUnknown" }) });
    }
  });

  it("says what follows the name to that agent, as the agent's own command does", () => {
    const own = canonical(command("my order  is late", "support"), routing.commands) as InboundMessage;
    const { message: given, choice } = change(own, undefined);
    expect(choice).toEqual({ picked: "support" });
    expect(given?.message.parts).toEqual([{ kind: "text", text: "my order  is late", format: "plain" }]);
    expect(given?.message.command).toBeUndefined();
    const other = command("", "other");
    expect(canonical(other, routing.commands)).toBe(other);
    const edit = { ...command("x", "support"), kind: "edited", target: other.id } as InboundEvent;
    expect(canonical(edit, routing.commands)).toMatchObject({ message: { command: { name: "agent" } } });
  });

  it("is what the conversation keeps, also where the turn of what it says fails: then nobody was handed anything", () => {
    const taken = { to: place(), messages: [command("support my order")], history: [] };
    const cast = castOf({ agentOf, switchAgent: change }, taken);
    const words = { addressed: true, parts: [{ kind: "text", text: "my order", format: "plain" }] };
    const support = { name: "support", title: "The support", at: "support", choice: { picked: "support" } };
    expect(addressedIn(agentOf, cast)).toEqual({ by: support, words });
    const choice = { picked: "support", handed: { to: "boss", from: "support" } };
    expect(addressedIn(agentOf, cast, { by: "boss" }).by).toMatchObject({ name: "boss", at: "boss", choice });
    const hello = castOf({ agentOf, switchAgent: change }, { ...taken, messages: [message("hello", ann, place())] });
    expect(addressedIn(agentOf, hello)).toEqual({ by: { name: "assistant", title: "The assistant", at: "assistant" } });
  });

  it("is nothing for those who name the agent with each message", () => {
    expect(change(command("support", "agent", place({ agent: "boss" })), undefined).answer.notice).toBe("agentUnknown");
  });
});
