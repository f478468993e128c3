/** Plays a case: an agent as in production, its turns one after another, and nobody at the other end of its tools. */
import type { ModelProvider } from "@openai/agents";
import type { Agent, Doubt, HistoryItem, TurnInput, TurnOutput } from "../../src/agent.ts";
import { reasonOf } from "../../src/errors.ts";
import { conversationId, messageId, participantId, type AgentId, type TurnId } from "../../src/ids.ts";
import { describeAnswer, type Address, type InboundMessage } from "../../src/message.ts";
import type { Blobs, Clock, Log } from "../../src/ports.ts";
import type { ToolSource } from "../../src/tools.ts";
import { createClientAgent } from "../client/index.ts";
import type { Role } from "../client/role.ts";
import type { Case } from "./cases.ts";
import { evaluationSources } from "./stubs.ts";
import { watched, type MadeCall } from "./watch.ts";

export interface PlayedTurn {
  readonly user: string;
  readonly answer: string;
  readonly calls: readonly MadeCall[];
  readonly doubts: readonly Doubt[];
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly ms: number;
  /** It gave no answer, and why. */
  readonly failed?: string;
}

export interface Player {
  /** Of whoever answers first; the others may be handed the conversation. */
  readonly name: string;
  readonly roles: ReadonlyMap<string, Role>;
  readonly models: ModelProvider;
  readonly clock: Clock;
  readonly log: Log;
  /** Sources that are connected, and patterns of the tools that may really be called. */
  readonly real: readonly ToolSource[];
  readonly mayRun: readonly string[];
}

const account = { tenant: "evaluation", channel: "evaluation", account: "main" };
/** A word on a call that waits, once more for each. */
const mostWords = 5;

/** Never rejects but for the signal: a turn that fails ends the case, which says so. */
export async function play(of: Case, player: Player, signal: AbortSignal): Promise<readonly PlayedTurn[]> {
  const clock = of.now === undefined ? player.clock : { ...player.clock, now: () => Date.parse(of.now ?? "") };
  const calls: MadeCall[] = [];
  const sources = evaluationSources(of.tools, player.real, player.mayRun);
  const models = watched(player.models, calls);
  const agentOf = (name: string): Agent => {
    const role = player.roles.get(name);
    if (role === undefined) throw new Error(`there is no agent "${name}"`);
    const { log, roles } = player;
    return createClientAgent(role.settings, {
      name,
      models,
      clock,
      blobs: noBlobs(),
      log,
      // Nothing here is done a second time after a death.
      outside: { sources, effects: { once: (_of, work) => work() } },
      roles: () => roles,
    });
  };
  let current = player.name;
  const to: Address = { ...account, conversation: conversationId(account, of.id), kind: "direct", chat: of.id };
  const person = { id: participantId(account, of.id), user: of.id };
  let history: HistoryItem[] = of.history.map(({ role, text }) => ({
    role,
    text,
    at: clock.now(),
    turn: "t0" as TurnId,
  }));
  const played: PlayedTurn[] = [];
  const hooks = { signal, openMedia: () => Promise.reject(new Error("there are no media in an evaluation")) };

  for (const [at, { user, approves }] of of.turns.entries()) {
    const turn = `t${at + 1}` as TurnId;
    const message: InboundMessage = {
      v: 1,
      kind: "message",
      id: messageId(account, of.id, String(at + 1)),
      address: to,
      participant: person,
      receivedAt: clock.now(),
      message: { parts: [{ kind: "text", text: user, format: "plain" }], addressed: true },
    };
    const input: TurnInput = {
      agent: `person:${person.id}` as AgentId,
      turn,
      attempt: 1,
      to,
      participant: person,
      summary: undefined,
      history,
      messages: [message],
      ...(current !== player.name && { handedBy: player.name }),
    };
    const from = calls.length;
    const since = player.clock.monotonic();
    const usage = { inputTokens: 0, outputTokens: 0 };
    const told: Doubt[] = [];
    const add = (output: TurnOutput) => {
      usage.inputTokens += output.usage?.inputTokens ?? 0;
      usage.outputTokens += output.usage?.outputTokens ?? 0;
      told.push(...(output.doubts ?? []));
      return output;
    };
    const end = (answer: string, failed?: string) => {
      const ms = player.clock.monotonic() - since;
      const doubts = [...new Set(told)];
      played.push({
        user,
        answer,
        calls: calls.slice(from),
        doubts,
        ...usage,
        ms,
        ...(failed !== undefined && { failed }),
      });
    };
    try {
      const agent = agentOf(current);
      let output = add(await agent.run(input, hooks));
      for (let words = 0; output.pause !== undefined && approves !== undefined && words < mostWords; words++) {
        const resume = { state: output.pause.state, turn, approved: approves };
        output = add(await agent.run({ ...input, attempt: words + 2, resume }, hooks));
      }
      current = output.by ?? current;
      const waits = output.pause?.calls.map(({ tool, args }) => `[waits for a word: ${tool} ${args}]`) ?? [];
      const answer = [describeAnswer(output.answer), ...waits].filter(Boolean).join("\n");
      history = [
        ...history,
        { role: "user", text: user, at: clock.now(), turn, message: message.id },
        { role: "agent", text: answer, at: clock.now(), turn },
      ];
      end(answer);
    } catch (error) {
      signal.throwIfAborted();
      end("", reasonOf(error));
      break;
    }
  }
  return played;
}

/** Files that agents make are nobody's here. */
function noBlobs(): Blobs {
  let n = 0;
  return {
    async put(body, { type, name }) {
      const size = (await new Response(body).arrayBuffer()).byteLength;
      return { id: `file-${++n}`, type, size, ...(name !== undefined && { name }) };
    },
    get: async () => undefined,
    remove: async () => undefined,
  };
}
