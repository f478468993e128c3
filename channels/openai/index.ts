/**
 * The front door for everything that speaks the OpenAI API: POST /v1/chat/completions, POST /v1/responses, GET /v1/models.
 *
 * A request is a message and waits for its answer, which is stored before the client is told: one that went away, or whose
 * gateway died, gets it by the same Idempotency-Key. That key is the message's id, so that the core knows it again.
 */
import type { Channel, ChannelDeps, HttpHandler, Preview } from "../../src/channel.ts";
import type { Surroundings } from "./ask.ts";
import { createCalls } from "./calls.ts";
import { createConversations } from "./conversations.ts";
import { refuseThrown } from "./errors.ts";
import { dialect } from "./format.ts";
import { createRoutes } from "./routes.ts";
import { callOf, createSend } from "./send.ts";
import type { OpenaiSettings } from "./settings.ts";
import { createCallers } from "./verify.ts";

/** @param settings as {@link openaiSettings} gave them. */
export function openai(
  settings: OpenaiSettings,
  deps: ChannelDeps,
  surroundings: Surroundings,
): Channel & HttpHandler & Preview {
  const { tenant, channel, account } = deps;
  const main = account === "main";
  const base = main ? "/v1" : `/openai/${account}/v1`;
  const callers = createCallers(settings.keys);
  const calls = createCalls(deps);
  const conversations = createConversations(deps);
  const answer = createRoutes({ settings, deps, surroundings, callers, calls, conversations, base });
  return {
    tenant,
    channel,
    account,
    traits: {
      order: "arrival",
      text: { max: settings.textLength },
      caption: { max: settings.textLength },
      media: {},
      location: false,
      replies: false,
      receipts: false,
      refuses: true,
      idempotentMs: Infinity,
      preview: { everyMs: 50, in: ["direct"] },
    },
    dialect,
    send: createSend(calls, conversations),
    ratedAs: ({ answers }) => answers,
    async preview(_to, { turn, text, answers = [] }) {
      for (const answered of answers) {
        const call = callOf(answered);
        if (call !== undefined) calls.grow(call, { turn, text });
      }
    },
    paths: [`${base}/*`],
    async handle(request) {
      try {
        return await answer(request);
      } catch (error) {
        return refuseThrown(error, deps.log, account);
      }
    },
  };
}
