/** Which request is answered how. */
import { z } from "zod";
import { conversationId, messageId, participantId } from "../../src/ids.ts";
import { longestWords, thumbs } from "../../src/rating.ts";
import { readText } from "../../src/request-text.ts";
import { type AskParts, createAsk } from "./ask.ts";
import { parseChat } from "./chat.ts";
import { refuse, RequestError } from "./errors.ts";
import { callOfId, itemOf, modelOf, response } from "./format.ts";
import { chatOf, jsonOf, ownModels } from "./parse.ts";
import { parseResponses } from "./responses.ts";
import type { Callers } from "./verify.ts";

export interface RouteParts extends Omit<AskParts, "knows"> {
  readonly callers: Callers;
  /** What every path begins with. */
  readonly base: string;
}

const feedbackBytes = 16_384;
const feedback = z.strictObject({
  /** Null takes it back. */
  thumb: z.enum(thumbs).nullable(),
  words: z.string().max(longestWords).optional(),
});

type Route = (caller: string, request: Request, rest: string) => Promise<Response>;

export function createRoutes(parts: RouteParts): (request: Request) => Promise<Response> {
  const { deps, calls, conversations, base, callers, surroundings } = parts;
  const started = deps.clock.now();
  const models = [...new Set([ownModels[0], ...surroundings.agents])];
  const ask = createAsk({ ...parts, knows: (model) => model === ownModels[1] || models.includes(model) });

  /** @param rest the model's id. */
  async function listModels(_caller: string, _request: Request, rest: string): Promise<Response> {
    if (rest === "") return Response.json({ object: "list", data: models.map((id) => modelOf(id, started)) });
    if (models.includes(rest)) return Response.json(modelOf(rest, started));
    return refuse(404, "model_not_found", "There is no such model: GET /v1/models lists them.", {}, "model");
  }

  async function readResponse(caller: string, _request: Request, rest: string): Promise<Response> {
    const call = await calls.find(callOfId(rest));
    if (call?.caller !== caller || call.api !== "responses") return refuse(404, null, "There is no such response.");
    return Response.json(response(call));
  }

  /** A thumb on an answer, by the id of its response or completion. */
  async function rate(caller: string, request: Request, rest: string): Promise<Response> {
    const { ratings } = deps;
    if (ratings === undefined) return refuse(404, null, "Answers are not rated here: set feedback.enabled.");
    const call = await calls.find(callOfId(rest));
    if (call?.caller !== caller) return refuse(404, null, "There is no such answer.");
    const given = feedback.safeParse(jsonOf(await readText(request, feedbackBytes)));
    if (!given.success) throw new RequestError('Give { "thumb": "up", "down" or null } and, if you like, "words".');
    const { thumb, words } = given.data;
    const of = { account: deps, target: messageId(deps, call.id), by: { id: participantId(deps, call.chat) } };
    if (await ratings.rate({ ...of, thumb: thumb ?? undefined, words })) return Response.json({ id: rest, thumb });
    return refuse(404, null, "This answer cannot be rated (any more).");
  }

  /** What was said in a conversation with a name, the newest first. */
  async function listItems(caller: string, request: Request, rest: string): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const asked = {
      model: searchParams.get("model") ?? ownModels[0],
      user: searchParams.get("user") ?? "",
      conversation: rest,
    };
    const limit = Number(searchParams.get("limit") ?? 20);
    if (!Number.isInteger(limit) || limit < 1 || limit > 100)
      return refuse(400, null, "limit: must be 1 to 100", {}, "limit");
    const after = searchParams.get("after") ?? undefined;
    const listed = await conversations.list(conversationId(deps, chatOf(caller, asked, "")), limit, after);
    if (listed === undefined) return refuse(404, null, "There is no such item.", {}, "after");
    const data = listed.items.map(itemOf);
    const ends = { first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
    return Response.json({ object: "list", data, ...ends, has_more: listed.more });
  }

  const routes: readonly (readonly [method: string, path: RegExp, route: Route])[] = [
    ["POST", /^\/chat\/completions$/, (caller, request) => ask(caller, request, "chat", parseChat)],
    ["POST", /^\/responses$/, (caller, request) => ask(caller, request, "responses", parseResponses)],
    ["GET", /^\/responses\/([^/]+)$/, readResponse],
    ["POST", /^\/responses\/([^/]+)\/feedback$/, rate],
    ["POST", /^\/chat\/completions\/([^/]+)\/feedback$/, rate],
    ["GET", /^\/models$/, listModels],
    ["GET", /^\/models\/([^/]+)$/, listModels],
    ["GET", /^\/conversations\/([^/]+)\/items$/, listItems],
  ];

  return async function answer(request) {
    const path = new URL(request.url).pathname.slice(base.length).replace(/\/$/, "");
    const caller = callers.of(request.headers);
    if (caller === undefined) {
      const message = 'The API key is missing or wrong: send it as "Authorization: Bearer <key>".';
      return refuse(401, "invalid_api_key", message, { "www-authenticate": "Bearer" });
    }
    const here = routes.filter(([, pattern]) => pattern.test(path));
    const found = here.find(([method]) => method === request.method);
    if (found !== undefined) {
      const [, rest = ""] = found[1].exec(path) ?? [];
      return found[2](caller, request, decoded(rest));
    }
    if (here.length === 0) return refuse(404, null, `There is nothing at ${request.method} ${base}${path}.`);
    const allow = here.map(([method]) => method).join(", ");
    return refuse(405, null, `Use ${allow}.`, { allow });
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
