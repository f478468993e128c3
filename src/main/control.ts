/**
 * The gateway's control interface: how `ascent` commands reach the one that runs. HTTP on a free port of the loopback
 * interface; its address and token stand in the lock's description, which only the gateway's user can read.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { holderOf } from "../../adapters/embedded/lock.ts";
import { createServer } from "../../adapters/http/index.ts";
import { InputError } from "../errors.ts";
import { doneOrder } from "../feedback-operations.ts";
import { missionActs, sendOrder, type Operations } from "../operations.ts";
import { usageQuery } from "../usage.ts";
import type { Log } from "../ports.ts";
import { takeOrder } from "../takeover-operations.ts";

/** What the commands ask of a gateway, running or opened for them. */
export type CommandOperations = Omit<Operations, "deadLetter" | "channels">;

const decision = z.enum(["approved", "denied"]);
const limit = z.number().int().positive().max(10_000);

const as = { as: z.string().max(100).optional() };
const there = { conversation: z.string(), n: z.number().optional() };

const order = z.discriminatedUnion("operation", [
  z.object({ operation: z.literal("deadLetters"), limit, before: z.number().optional() }),
  z.object({ operation: z.literal("retry"), id: z.string() }),
  z.object({ operation: z.literal("drop"), id: z.string() }),
  z.object({ operation: z.literal("journal"), limit, conversation: z.string().optional() }),
  z.object({ operation: z.literal("asked") }),
  z.object({ operation: z.literal("decide"), who: z.string().max(1_000), state: decision }),
  z.object({ operation: z.literal("approvals") }),
  z.object({
    operation: z.literal("approve"),
    id: z.string().max(100),
    approved: z.boolean(),
    note: z.string().max(2_000).optional(),
  }),
  z.object({ operation: z.literal("missions"), limit }),
  z.object({ operation: z.literal("mission"), id: z.string().max(100) }),
  z.object({ operation: z.literal("orderMission"), id: z.string().max(100), act: z.enum(missionActs) }),
  z.object({ operation: z.literal("marks"), conversation: z.string().max(1_000) }),
  z.object({ operation: z.literal("send"), order: sendOrder }),
  z.object({ operation: z.literal("usage"), query: usageQuery }),
  z.object({ operation: z.literal("webhooks"), limit }),
  z.object({ operation: z.literal("replay"), id: z.string() }),
  z.object({ operation: z.literal("check") }),
  z.object({ operation: z.literal("takeovers") }),
  z.object({ operation: z.literal("watchTakeover"), conversation: z.string() }),
  z.object({ operation: z.literal("take"), order: takeOrder.extend(as) }),
  z.object({
    operation: z.literal("sayThere"),
    order: z.object({ ...there, ...as, id: z.string(), text: z.string() }),
  }),
  z.object({
    operation: z.literal("release"),
    order: z.object({ ...there, ...as, force: z.boolean().optional(), note: z.string().optional() }),
  }),
  z.object({ operation: z.literal("feedback"), limit }),
  z.object({ operation: z.literal("reviews"), limit, done: z.boolean().optional() }),
  z.object({ operation: z.literal("nextReviews"), count: limit, ...as }),
  z.object({ operation: z.literal("review"), order: doneOrder.extend(as) }),
]);
type Order = z.infer<typeof order>;

const path = "/control";

export function createControl({ operations, log }: { readonly operations: CommandOperations; readonly log: Log }) {
  const token = randomBytes(32).toString("base64url");
  const server = createServer({
    host: "127.0.0.1",
    port: 0,
    log,
    health: () => undefined,
    channels: [
      {
        paths: [path],
        async handle(request) {
          if (!isToken(request.headers.get("authorization"), token)) return new Response(null, { status: 401 });
          const parsed = order.safeParse(await request.json().catch(() => undefined));
          if (!parsed.success) throw new InputError(z.prettifyError(parsed.error));
          return Response.json({ result: await perform(operations, parsed.data) });
        },
      },
    ],
  });
  return {
    async listen() {
      const { url } = await server.listen();
      return { control: `${url}${path}`, token };
    },
    close: () => server.drain(1_000),
  };
}

function perform(operations: CommandOperations, asked: Order): Promise<unknown> {
  switch (asked.operation) {
    case "deadLetters":
      return operations.deadLetters(asked.limit, asked.before);
    case "retry":
      return operations.retry(asked.id);
    case "drop":
      return operations.drop(asked.id);
    case "journal":
      return operations.journal(asked.limit, asked.conversation);
    case "asked":
      return operations.asked();
    case "decide":
      return operations.decide(asked.who, asked.state);
    case "approvals":
      return operations.approvals();
    case "approve":
      return operations.approve(asked.id, asked);
    case "missions":
      return operations.missions(asked.limit);
    case "mission":
      return operations.mission(asked.id).then((found) => found ?? null);
    case "orderMission":
      return operations.orderMission(asked.id, asked.act);
    case "marks":
      return operations.marks(asked.conversation);
    case "send":
      return operations.send(asked.order);
    case "usage":
      return operations.usage(asked.query);
    case "webhooks":
      return operations.webhooks(asked.limit);
    case "replay":
      return operations.replay(asked.id);
    case "check":
      return operations.check();
    case "takeovers":
      return operations.takeovers();
    case "watchTakeover":
      return operations.watchTakeover(asked.conversation);
    case "take":
      return operations.take(asked.order);
    case "sayThere":
      return operations.sayThere(asked.order);
    case "release":
      return operations.release(asked.order);
    case "feedback":
      return operations.feedback(asked.limit);
    case "reviews":
      return operations.reviews(asked);
    case "nextReviews":
      return operations.nextReviews(asked);
    case "review":
      return operations.review(asked.order);
  }
}

function isToken(header: string | null, token: string): boolean {
  const given = Buffer.from(header ?? "");
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** What is refused for what was asked is said as if no other process had been asked. */
async function refusalOf(response: Response): Promise<Error> {
  const told = z
    .object({ error: z.object({ message: z.string() }) })
    .safeParse(await response.json().catch(() => undefined));
  const words = told.success ? told.data.error.message : "it does not say why";
  if (told.success && response.status < 500) return new Error(words);
  return new Error(`the running gateway answered ${response.status}: ${words}`);
}

/** The gateway that runs on this data, if one does. */
export async function runningGateway(
  directory: string,
): Promise<{ url: string; operations: CommandOperations } | undefined> {
  const holder = await holderOf(directory);
  if (holder === undefined) return undefined;
  const { address, control, token } = z
    .looseObject({ address: z.string(), control: z.string(), token: z.string() })
    .parse(holder);
  const ask = async <Result>(asked: Order): Promise<Result> => {
    const response = await fetch(control, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(asked),
      signal: AbortSignal.timeout(30_000),
    });
    if (!response.ok) throw await refusalOf(response);
    return ((await response.json()) as { result: Result }).result;
  };
  return {
    url: address,
    operations: {
      deadLetters: (most, before) => ask({ operation: "deadLetters", limit: most, before }),
      journal: (most, conversation) => ask({ operation: "journal", limit: most, conversation }),
      asked: () => ask({ operation: "asked" }),
      decide: (who, state) => ask({ operation: "decide", who, state }),
      retry: (id) => ask({ operation: "retry", id }),
      drop: (id) => ask({ operation: "drop", id }),
      approvals: () => ask({ operation: "approvals" }),
      approve: (id, verdict) => ask({ operation: "approve", id, ...verdict }),
      missions: (most) => ask({ operation: "missions", limit: most }),
      mission: async (id) =>
        (await ask<Awaited<ReturnType<Operations["mission"]>> | null>({ operation: "mission", id })) ?? undefined,
      orderMission: (id, act) => ask({ operation: "orderMission", id, act }),
      marks: (conversation) => ask({ operation: "marks", conversation }),
      send: (given) => ask({ operation: "send", order: given }),
      usage: (query) => ask({ operation: "usage", query }),
      webhooks: (most) => ask({ operation: "webhooks", limit: most }),
      replay: (id) => ask({ operation: "replay", id }),
      check: () => ask({ operation: "check" }),
      takeovers: () => ask({ operation: "takeovers" }),
      watchTakeover: (conversation) => ask({ operation: "watchTakeover", conversation }),
      take: (given) => ask({ operation: "take", order: given }),
      sayThere: (given) => ask({ operation: "sayThere", order: given }),
      release: (given) => ask({ operation: "release", order: given }),
      feedback: (most) => ask({ operation: "feedback", limit: most }),
      reviews: (of) => ask({ operation: "reviews", ...of }),
      nextReviews: (of) => ask({ operation: "nextReviews", ...of }),
      review: (given) => ask({ operation: "review", order: given }),
    },
  };
}
