/** What the gateway offers to programs over MCP. */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import type { CallToolResult, ServerNotification, ServerRequest } from "@modelcontextprotocol/sdk/types.js";
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js";
import { z } from "zod";
import { InputError, OverloadedError, reasonOf } from "../../../src/errors.ts";
import type { Clock, Log } from "../../../src/ports.ts";
import type { Requested } from "../../../src/proactive.ts";
import type { Scope } from "../settings.ts";
import type { AskChannel } from "./ask.ts";
import type { Conversations, Entry } from "./conversations.ts";

/** So often a client that wants to know is told that a question is still being worked on. */
const progressMs = 10_000;
const longestWords = 200;

export interface Caller {
  /** Tells nothing of the key. */
  readonly id: string;
  readonly name: string;
  readonly tenant: string;
  readonly scopes: readonly Scope[];
}

export interface ToolsOptions {
  readonly agents: readonly string[];
  readonly channel: AskChannel | undefined;
  readonly conversations: Conversations;
  /** In the caller's tenant alone. */
  readonly send: (order: {
    readonly to: string;
    readonly kind: "direct" | "group";
    readonly thread?: string | undefined;
    readonly form: "words" | "note";
    readonly text: string;
    readonly id: string;
  }) => Promise<Requested>;
  readonly waitMs: number;
  readonly newId: () => string;
  readonly clock: Clock;
  readonly log: Log;
}

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

const ids = z.string().min(1).max(200).optional();
const inputs = {
  ask: z.object({
    question: z.string().min(1).max(100_000),
    agent: z.string().max(64).optional().describe("its name; the first one unless given"),
    conversation: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe("with the same name again, the agent remembers what was said"),
    id: ids.describe("your own: asked again under it, it is the same question, and the answer that it has by then"),
  }),
  list: z.object({
    limit: z.number().int().min(1).max(200).default(50),
    channel: z.string().max(64).optional().describe("such as telegram"),
    offset: z.number().int().min(0).max(10_000).default(0),
  }),
  search: z.object({
    words: z.string().min(2).max(longestWords).describe("found as they stand, in any case of letters"),
    limit: z.number().int().min(1).max(50).default(20),
  }),
  send: z.object({
    to: z
      .string()
      .min(1)
      .max(1_000)
      .describe("channel/account/id, as list_conversations gives it: telegram/main/7200001"),
    kind: z.enum(["direct", "group"]).default("direct"),
    thread: z.string().max(200).optional(),
    text: z.string().min(1).max(100_000).describe("markdown"),
    form: z
      .enum(["words", "note"])
      .default("words")
      .describe("words go out as they are; of a note the agent is told, and writes what it makes of it"),
    id: ids.describe("your own: the same once more, within eight days, is the same message"),
  }),
};

export function createTools(caller: Caller, options: ToolsOptions): McpServer {
  const { agents, conversations, log } = options;
  const server = new McpServer({ name: "ascent", version: "1" });
  const may = (scope: Scope) => caller.scopes.includes(scope);

  /** Words of our own errors only. */
  async function told(tool: string, work: () => Promise<unknown>): Promise<CallToolResult> {
    try {
      const result = await work();
      return { content: [{ type: "text", text: typeof result === "string" ? result : JSON.stringify(result) }] };
    } catch (error) {
      const isTheirs = error instanceof InputError || error instanceof OverloadedError;
      if (!isTheirs) log.error({ caller: caller.name, tool, reason: reasonOf(error) }, "a call over MCP failed");
      const text = isTheirs ? error.message : "That did not work, for a reason of the gateway's own: try again later.";
      return { content: [{ type: "text", text }], isError: true };
    }
  }

  if (may("ask") && options.channel !== undefined) {
    const { channel } = options;
    server.registerTool(
      "ask_agent",
      {
        title: "Ask an agent",
        description: `Asks an agent of this gateway and gives its answer. There are: ${agents.join(", ")}.`,
        inputSchema: inputs.ask.shape,
        annotations: { readOnlyHint: false, idempotentHint: true, openWorldHint: true },
      },
      (args, extra) => told("ask_agent", () => ask(channel, args, extra)),
    );
  }
  if (may("read")) {
    server.registerTool(
      "list_conversations",
      {
        title: "List conversations",
        description: "Lists the conversations that people have with agents here, the newest first.",
        inputSchema: inputs.list.shape,
        annotations: { readOnlyHint: true },
      },
      ({ limit, offset, channel }) =>
        told("list_conversations", async () => {
          const all = (await conversations.list(caller.tenant)).filter(
            (one) => channel === undefined || one.channel === channel,
          );
          return { conversations: all.slice(offset, offset + limit).map(shown), total: all.length };
        }),
    );
    server.registerTool(
      "search_conversations",
      {
        title: "Search conversations",
        description:
          "Looks for words in what agents remember of their conversations: what was said lately, and the summary of what was before.",
        inputSchema: inputs.search.shape,
        annotations: { readOnlyHint: true },
      },
      ({ words, limit }) =>
        told("search_conversations", async () => {
          const found = await conversations.search(caller.tenant, words, limit);
          return { found: found.map(({ entry, role, text, at }) => ({ ...shown(entry), role, text, at: timeOf(at) })) };
        }),
    );
  }
  if (may("send")) {
    server.registerTool(
      "send_message",
      {
        title: "Send a message",
        description: "Writes to a person or a group on their channel, in the name of the agent that answers there.",
        inputSchema: inputs.send.shape,
        annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
      },
      ({ id = options.newId(), ...order }) =>
        told("send_message", async () => ({ accepted: true, id: (await options.send({ ...order, id })).id })),
    );
  }
  return server;

  async function ask(channel: AskChannel, args: z.output<typeof inputs.ask>, extra: Extra): Promise<string> {
    const { question, agent, conversation, id = options.newId() } = args;
    if (agent !== undefined && !agents.includes(agent))
      throw new InputError(`agent: there is no "${agent.slice(0, 64)}"; there are ${agents.join(", ")}`);
    const stop = tellProgress(extra);
    try {
      const asked = { caller: caller.id, callerName: caller.name, text: question, agent, conversation, id };
      const { done, failed, text } = await channel.ask(asked, options.waitMs, extra.signal);
      if (!done)
        throw new InputError(`The agent is still working on it: ask the same again with "id": ${JSON.stringify(id)}.`);
      if (failed) throw new InputError(text);
      return text;
    } finally {
      stop();
    }
  }

  function tellProgress({ _meta, sendNotification }: Extra): () => void {
    const progressToken = _meta?.progressToken;
    if (progressToken === undefined) return () => undefined;
    let progress = 0;
    let cancel = options.clock.after(progressMs, tell);
    function tell(): void {
      progress += 1;
      const params = { progressToken, progress, message: "the agent is working on it" } as const;
      sendNotification({ method: "notifications/progress", params } as ServerNotification).catch(() => undefined);
      cancel = options.clock.after(progressMs, tell);
    }
    return () => cancel();
  }
}

/** As `send_message` takes it. */
function shown({ channel, account, kind, chat, thread, participant, at }: Entry) {
  const whom = kind === "direct" ? participant.user : chat;
  return {
    to: `${channel}/${account}/${whom}`,
    kind,
    ...(thread === undefined ? {} : { thread }),
    ...(kind === "direct" && participant.name !== undefined ? { name: participant.name } : {}),
    startedAt: timeOf(at),
  };
}

function timeOf(at: number): string {
  return new Date(at).toISOString();
}
