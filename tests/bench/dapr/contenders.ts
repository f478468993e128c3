/** Ours on Dapr, the floor by hand, and a bot in Python that has neither Dapr nor anything durable. */
import { installRivals, instructions, model, rivals, startGateway, type StartOptions } from "../contenders.ts";
import { cpuMsOf, residentMbOf } from "../proc.ts";
import type { Measured } from "../rounds.ts";
import { freePort, within, type Launched, type Session } from "../session.ts";
import { tokenOf, type World } from "../world.ts";
import { startStack, withApp, type Stack } from "./cluster.ts";
import { pythonOf } from "./python.ts";

export interface OnDapr extends Measured {
  readonly stack: Stack;
  readonly app: Launched;
}

/** Redis and Redis, one replica, Telegram by polling. */
export async function startOurs(options: StartOptions): Promise<OnDapr> {
  const stack = await startStack(options.session);
  const env = { ...stack.env, ASCENT_RUNTIME: "dapr", REDIS_URL: stack.redisUrl, ...options.env };
  const { process } = await startGateway({ ...options, env });
  return onDapr("ours on Dapr", options, stack, process);
}

export interface FloorOptions {
  readonly session: Session;
  readonly world: World;
  readonly bot: number;
  /** Of the state that its actor writes: as much as ours has stored for an agent at this moment. */
  readonly stateBytes: number;
  /** Every active conversation has a reminder, armed and disarmed. */
  readonly reminder?: boolean;
  readonly nodeArgs?: readonly string[];
}

export async function startFloor(options: FloorOptions): Promise<OnDapr> {
  const { session, world, bot, stateBytes, reminder = false, nodeArgs = [] } = options;
  await installRivals(session);
  const stack = await startStack(session);
  const launched = session.launch({
    name: "the floor",
    args: [...nodeArgs, "dapr-floor.ts"],
    cwd: rivals,
    env: {
      ...worldOf(world, bot),
      ...stack.env,
      SIDECAR_URL: stack.sidecar.url,
      STATE_BYTES: String(Math.round(stateBytes)),
      ...(reminder ? { REMINDER: "1" } : {}),
    },
  });
  await within(60_000, "the start of the floor", Promise.race([session.broken, launched.firstLine]));
  return onDapr(reminder ? "floor with a reminder" : "floor", options, stack, launched);
}

/** Telegram posts to it: one uvicorn worker. */
export async function startPython(options: Pick<FloorOptions, "session" | "world" | "bot">): Promise<Measured> {
  const { session, world, bot } = options;
  const command = await pythonOf(session);
  const env = {
    ...worldOf(world, bot),
    PORT: String(await freePort()),
    TELEGRAM_WEBHOOK_SECRET: "secret-of-the-bench-webhook",
  };
  const launched = session.launch({ name: "fastapi", command, args: ["fastapi_bot.py"], cwd: rivals, env });
  await within(60_000, "the start of the bot in Python", Promise.race([session.broken, launched.firstLine]));
  return {
    name: "FastAPI",
    people: world.people(tokenOf(bot)),
    cpuMs: () => cpuMsOf([launched.pid]),
    residentMb: () => residentMbOf([launched.pid]),
  };
}

function worldOf(world: World, bot: number): Record<string, string> {
  return {
    MODEL: model,
    INSTRUCTIONS: instructions,
    OPENAI_BASE_URL: world.modelUrl,
    OPENAI_API_KEY: "bench",
    TELEGRAM_BOT_TOKEN: tokenOf(bot),
    TELEGRAM_API_ROOT: world.telegramUrl,
  };
}

function onDapr(
  name: string,
  { world, bot = 0 }: { readonly world: World; readonly bot?: number },
  stack: Stack,
  app: Launched,
): OnDapr {
  const processes = withApp(stack, app);
  const pids = Object.values(processes);
  return {
    name,
    stack,
    app,
    people: world.people(tokenOf(bot)),
    cpuMs: () => cpuMsOf(pids),
    cpuParts: () => Object.fromEntries(Object.entries(processes).map(([part, pid]) => [part, cpuMsOf([pid])])),
    residentMb: () => residentMbOf(pids),
  };
}
