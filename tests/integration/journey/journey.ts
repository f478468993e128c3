/** Every channel of one gateway through the whole list, judged by what the platforms' fakes saw. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkModelRequests } from "../../fakes/invariants.ts";
import { startOpenAiFake, type OpenAiFake } from "../../fakes/openai.ts";
import { tokensIn } from "../../fakes/tokens.ts";
import type { GatewayProcess } from "../gateway-process.ts";
import { discordStop } from "./discord.ts";
import { openaiStop } from "./openai.ts";
import { telegramStop } from "./telegram.ts";
import type { Stop } from "./visitor.ts";
import { asks, script, traveller, untilAnswered, untilThinking, walk, type Traveller } from "./walk.ts";
import { webStop } from "./web.ts";
import { webhookStop } from "./webhook.ts";
import { whatsappStop } from "./whatsapp.ts";

const stops = {
  telegram: telegramStop,
  discord: discordStop,
  whatsapp: whatsappStop,
  web: webStop,
  webhook: webhookStop,
  openai: openaiStop,
};
const names = Object.keys(stops) as (keyof typeof stops)[];
const timeout = 240_000;

export interface Ground {
  /** Not started. */
  readonly gateway: GatewayProcess;
  /** How long what a kill stands before may take here. */
  readonly patienceMs: number;
  /** Dies and comes back beside a gateway that lives. */
  readonly neighbour?: { readonly name: string; restart(): Promise<void>; kill(): Promise<void> };
  close(): Promise<void>;
}

export type OpenGround = (settings: {
  readonly env: (url: string) => Readonly<Record<string, string>>;
  readonly config: object;
}) => Promise<Ground>;

interface Journey extends Ground {
  readonly model: OpenAiFake;
  /** What the model was asked. */
  readonly seen: readonly string[];
  /** By channel: one who goes the whole way, and one whose answer is on its way when the gateway dies. */
  readonly ann: ReadonlyMap<string, Traveller>;
  readonly bob: ReadonlyMap<string, Traveller>;
  readonly all: readonly Traveller[];
}

async function setOut(open: OpenGround): Promise<Journey> {
  const model = await startOpenAiFake({ apiKey: "sk-canary-of-the-model", models: ["test"] });
  const seen: string[] = [];
  model.script(script(seen));
  const visited: Stop[] = await Promise.all(names.map((name) => stops[name]()));
  const base = {
    ASCENT_CONFIG: "ascent.yaml",
    ASCENT_MODEL: "compatible:test",
    OPENAI_BASE_URL: model.baseURL,
    OPENAI_API_KEY: "sk-canary-of-the-model",
  };
  const ground = await open({
    env: (url) => Object.assign({}, base, ...visited.map(({ env }) => env(url))) as Record<string, string>,
    config: {
      channels: Object.fromEntries(visited.map(({ name, account }) => [name, { main: account }])),
      agents: { assistant: { vision: true } },
      models: { timeoutSeconds: 20, retries: 1 },
    },
  });
  await ground.gateway.start();
  const people = async (name: string) =>
    new Map(
      await Promise.all(
        visited.map(async (stop) => [stop.name, await traveller(stop, name, ground.patienceMs)] as const),
      ),
    );
  for (const stop of visited) await stop.open(ground.gateway.url);
  const [ann, bob] = [await people("ann"), await people("bob")];
  return {
    ...ground,
    model,
    seen,
    ann,
    bob,
    all: [...ann.values(), ...bob.values()],
    async close() {
      await Promise.all(visited.map((stop) => stop.close()));
      await ground.close();
      await model.close();
    },
  };
}

export function journey(open: OpenGround): void {
  let going: Journey | undefined;
  beforeAll(async () => void (going = await setOut(open)), timeout);
  afterAll(() => going?.close(), 60_000);
  const now = (): Journey => {
    if (going === undefined) throw new Error("nobody set out");
    return going;
  };

  test.concurrent.each(names)(
    "%s: a growing answer, media both ways, buttons, an edit, a 429, a broken connection, the same event again",
    async (name) => {
      const { ann, model, seen } = now();
      const of = ann.get(name);
      if (of !== undefined) await walk(of, model, seen);
    },
    timeout,
  );

  test("kill -9 of the gateway in the model call, and between a send and its record", () => killed(now()), timeout);

  test(
    "kill -9 of what stands beside the gateway, in the model call",
    async ({ skip }) => {
      const { neighbour, ann, model } = now();
      if (neighbour === undefined) return skip("the gateway stands alone");
      const thinking = await allAsk([...ann.values()], "think");
      for (const [, token] of thinking) await untilThinking(model, token);
      await neighbour.kill();
      await neighbour.restart();
      for (const [of, token] of thinking) await untilAnswered(of, token);
      await Promise.all([...ann.values()].map((of) => asks(of, "hello")));
    },
    timeout,
  );

  test("all of it was answered once and in order, the history holds each message once, no secret was printed", async () => {
    expect(await wrongWith(now())).toEqual([]);
  });
}

async function allAsk(travellers: readonly Traveller[], what: string): Promise<(readonly [Traveller, string])[]> {
  return Promise.all(
    travellers.map(async (of) => {
      const token = of.next();
      await of.visitor.says(`${what} ${token}`);
      return [of, token] as const;
    }),
  );
}

async function killed({ gateway, ann, bob, model }: Journey): Promise<void> {
  await Promise.all([...bob.values()].map((of) => asks(of, "hello")));
  const thinking = await allAsk([...ann.values()], "ponder");
  for (const [, token] of thinking) await untilThinking(model, token);
  for (const { visitor } of bob.values()) await visitor.takesUnheard?.();
  const sending = await allAsk([...bob.values()], "hello");
  await Promise.all(sending.map(([of, token]) => untilAnswered(of, token)));
  const still = thinking.filter(([, token]) =>
    model.log.some((one) => one.endedAt === undefined && one.tokens.includes(token)),
  );
  expect(still.length, "the turns run").toBe(thinking.length);
  await gateway.kill();
  const meanwhile = await allAsk([...ann.values()], "meanwhile");
  await gateway.start();
  for (const [of, token] of [...thinking, ...meanwhile]) await untilAnswered(of, token);
  await Promise.all([...bob.values()].map((of) => asks(of, "hello")));
}

/** One line each. */
async function wrongWith({ all, model, gateway }: Journey): Promise<string[]> {
  const left = all.flatMap(({ edited }) => edited ?? []);
  const requests = model.log.filter(({ outcome, tokens }) => outcome !== "aborted" || !left.includes(tokens[0] ?? ""));
  const wrong = checkModelRequests(requests).map(({ invariant, detail }) => `${invariant} ${detail}`);
  for (const { stop, name, visitor, tokens } of all) {
    const answers = (await visitor.got()).map(({ text }) => tokensIn(text));
    const who = `${stop.name}, ${name}`;
    // What a platform took unheard is sent again, where it cannot tell: so it is seen that the kill came before the record.
    const repeats = !stop.idempotent && name === "bob" ? gateway.kills.length : 0;
    const counts = tokens.map((token) => answers.filter((answer) => answer.includes(token)).length);
    tokens.forEach((token, at) => {
      if (counts[at] === 0) wrong.push(`${who}: ${token} has no answer`);
    });
    const repeated = counts.reduce((sum, count) => sum + Math.max(0, count - 1), 0);
    if (repeated !== repeats)
      wrong.push(`${who}: ${repeated} answers came twice, not ${repeats}: ${JSON.stringify(answers)}`);
    // An answer may cover several messages, and comes where the last of them would.
    const places = answers
      .filter(({ length }) => length > 0)
      .map((of) => Math.max(...of.map((one) => tokens.indexOf(one))));
    const isOrdered = places.every((place, at) => place >= (places[at - 1] ?? 0));
    if (!isOrdered) wrong.push(`${who}: out of order: ${answers.flat().join(" ")}`);
    const output = gateway.output();
    for (const secret of stop.secrets) if (output.includes(secret)) wrong.push(`${who}: a secret was printed`);
  }
  const [printed] = tokensIn(gateway.output());
  return printed === undefined ? wrong : [...wrong, `message text was printed (${printed})`];
}
