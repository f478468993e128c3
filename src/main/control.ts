/**
 * The gateway's control interface: how `ascent` commands reach the one that runs. HTTP on a free port of the loopback
 * interface; its address and token stand in the lock's description, which only the gateway's user can read.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { holderOf } from "../../adapters/embedded/lock.ts";
import { createServer } from "../../adapters/http/index.ts";
import type { Channel, Finding } from "../channel.ts";
import type { Core } from "../core.ts";
import { InputError, reasonOf } from "../errors.ts";
import type { ConversationId } from "../ids.ts";
import type { Asked } from "../operators.ts";
import type { DeadLetter, Log, Runtime, SetAside } from "../ports.ts";
import type { Marks } from "../receipts.ts";
import type { Requested } from "../proactive.ts";
import type { LoggedDelivery, Subscriptions } from "../subscriptions.ts";

/** What the commands ask of a gateway, running or opened for them. */
export interface Operations {
  deadLetters(limit: number): Promise<readonly DeadLetter[]>;
  /** @returns false where there is no such letter. */
  retry(id: string): Promise<boolean>;
  drop(id: string): Promise<boolean>;
  /** What was set aside by a rule, the newest first. */
  journal(limit: number): Promise<readonly SetAside[]>;
  /** Who asks to be let in. */
  asked(): Promise<readonly Asked[]>;
  /** As {@link Operators.decide}. */
  decide(who: string, state: Decision): Promise<Pick<Asked, "channel" | "account" | "user">>;
  /** How far a conversation's answers got, as its platform tells. */
  marks(conversation: string): Promise<Marks>;
  /** The agent writes first: see `proactive.ts`. */
  send(order: SendOrder): Promise<Requested>;
  /** Deliveries to subscribers, the newest first. */
  webhooks(limit: number): Promise<readonly LoggedDelivery[]>;
  /** @returns false where there is no such delivery. */
  replay(id: string): Promise<boolean>;
  /** What every channel says of its own settings. */
  check(): Promise<readonly { readonly channel: string; readonly findings: readonly Finding[] }[]>;
}
/** What the operations work on. */
export interface Operated {
  readonly runtime: Pick<Runtime, "deadLetters" | "journal">;
  readonly core: Core;
  readonly subscriptions: Subscriptions;
  readonly channels: readonly Channel[];
}

const decision = z.enum(["approved", "denied"]);
export type Decision = z.infer<typeof decision>;
const limit = z.number().int().positive().max(10_000);

/** Whom to write to first, and what. */
export const sendOrder = z.object({
  /** "channel/account/id": a person's or a group's, as the platform has it. */
  to: z.string().max(20_000),
  kind: z.enum(["direct", "group"]).default("direct"),
  thread: z.string().max(20_000).optional(),
  /** "words": they go out as they are, markdown. "note": the agent is told, and writes what it makes of it. */
  form: z.enum(["words", "note"]).default("words"),
  text: z.string(),
  /** What a note is about. */
  topic: z.string().default("note from the operator"),
  /** The same once more is the same request: unique within the conversation, for eight days. */
  id: z.string(),
});
export type SendOrder = z.infer<typeof sendOrder>;
const order = z.discriminatedUnion("operation", [
  z.object({ operation: z.literal("deadLetters"), limit }),
  z.object({ operation: z.literal("retry"), id: z.string() }),
  z.object({ operation: z.literal("drop"), id: z.string() }),
  z.object({ operation: z.literal("journal"), limit }),
  z.object({ operation: z.literal("asked") }),
  z.object({ operation: z.literal("decide"), who: z.string().max(1_000), state: decision }),
  z.object({ operation: z.literal("marks"), conversation: z.string().max(1_000) }),
  z.object({ operation: z.literal("send"), order: sendOrder }),
  z.object({ operation: z.literal("webhooks"), limit }),
  z.object({ operation: z.literal("replay"), id: z.string() }),
  z.object({ operation: z.literal("check") }),
]);
type Order = z.infer<typeof order>;

const path = "/control";
const checkMs = 20_000;

export function operationsOf({ runtime, core, subscriptions, channels }: Operated): Operations {
  const { deadLetters, journal } = runtime;
  return {
    deadLetters: (most) => deadLetters.list(most),
    retry: (id) => core.retry(id),
    drop: (id) => deadLetters.drop(id),
    journal: (most) => journal.list({ limit: most }),
    asked: () => core.operators.asked(channels),
    decide: (who, state) => core.operators.decide(who, state, channels),
    marks: (conversation) => core.marks(conversation as ConversationId),
    send: (given) => send(core, channels, given),
    webhooks: (most) => subscriptions.log(most),
    replay: (id) => subscriptions.replay(id),
    check: () =>
      Promise.all(
        channels.map(async (of) => ({ channel: `${of.channel}/${of.account}`, findings: await checkChannel(of) })),
      ),
  };
}

async function send({ proactive }: Core, channels: readonly Channel[], given: SendOrder): Promise<Requested> {
  const { kind, thread, form, text, topic, id } = given;
  const [, channel, name, whom] = /^([^/]+)\/([^/]+)\/([^]+)$/.exec(given.to) ?? [];
  if (whom === undefined)
    throw new InputError(`"${given.to}" names nobody: it is channel/account/id, such as telegram/main/7200001`);
  const account = channels.find((of) => of.channel === channel && of.account === name);
  if (account === undefined) {
    const known = channels.map((of) => `${of.channel}/${of.account}`).join(", ");
    throw new InputError(`no account "${channel}/${name}" is configured; there are ${known}`, { status: 404 });
  }
  const to = { account, kind, id: whom, thread };
  if (form === "note") return proactive.prompt(to, id, { topic, text });
  return proactive.say(to, id, { parts: [{ kind: "text", text, format: "markdown" }] });
}

async function checkChannel(channel: Channel): Promise<readonly Finding[]> {
  try {
    return (await channel.check?.(AbortSignal.timeout(checkMs))) ?? [{ ok: true, text: "is configured" }];
  } catch (error) {
    return [{ ok: false, text: reasonOf(error), next: "Check the network from this machine, and try again." }];
  }
}

export function createControl(of: Operated & { readonly log: Log }) {
  const operations = operationsOf(of);
  const token = randomBytes(32).toString("base64url");
  const server = createServer({
    host: "127.0.0.1",
    port: 0,
    log: of.log,
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

function perform(operations: Operations, asked: Order): Promise<unknown> {
  switch (asked.operation) {
    case "deadLetters":
      return operations.deadLetters(asked.limit);
    case "retry":
      return operations.retry(asked.id);
    case "drop":
      return operations.drop(asked.id);
    case "journal":
      return operations.journal(asked.limit);
    case "asked":
      return operations.asked();
    case "decide":
      return operations.decide(asked.who, asked.state);
    case "marks":
      return operations.marks(asked.conversation);
    case "send":
      return operations.send(asked.order);
    case "webhooks":
      return operations.webhooks(asked.limit);
    case "replay":
      return operations.replay(asked.id);
    case "check":
      return operations.check();
  }
}

function isToken(header: string | null, token: string): boolean {
  const given = Buffer.from(header ?? "");
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

async function wordsOf(response: Response): Promise<string> {
  const told = z
    .object({ error: z.object({ message: z.string() }) })
    .safeParse(await response.json().catch(() => undefined));
  return told.success ? told.data.error.message : "it does not say why";
}

/** The gateway that runs on this data, if one does. */
export async function runningGateway(directory: string): Promise<{ url: string; operations: Operations } | undefined> {
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
    if (!response.ok) throw new Error(`the running gateway answered ${response.status}: ${await wordsOf(response)}`);
    return ((await response.json()) as { result: Result }).result;
  };
  return {
    url: address,
    operations: {
      deadLetters: (most) => ask({ operation: "deadLetters", limit: most }),
      journal: (most) => ask({ operation: "journal", limit: most }),
      asked: () => ask({ operation: "asked" }),
      decide: (who, state) => ask({ operation: "decide", who, state }),
      retry: (id) => ask({ operation: "retry", id }),
      drop: (id) => ask({ operation: "drop", id }),
      marks: (conversation) => ask({ operation: "marks", conversation }),
      send: (given) => ask({ operation: "send", order: given }),
      webhooks: (most) => ask({ operation: "webhooks", limit: most }),
      replay: (id) => ask({ operation: "replay", id }),
      check: () => ask({ operation: "check" }),
    },
  };
}
