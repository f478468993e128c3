/** 32 people write while the gateway is killed again and again: the promise, judged by what the platform and the model saw. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { isAnswer } from "../fakes/telegram/log.ts";
import { streamsOf } from "../simulation/random.ts";
import { forgotten, pagesWrong, startCrowd } from "./crowd.ts";
import { expectKept, openStage, untilQuiet, type Stage } from "./stage.ts";

const seed = Number(process.env["KILL_SEED"] ?? Math.floor(Math.random() * 1e9));
const kills = Number(process.env["KILLS"] ?? 12);

/** The agent forgets nothing and often folds what is older: a prompt shows all messages, in the summary or in the history. */
const config = { agents: { assistant: { context: { historyItems: 6, tokens: 1_000_000 } } } };

type Moment =
  | "at some time"
  | "at the start"
  | "after a message was sent"
  | "in the model call"
  | "after a send was accepted";
const moments: readonly Moment[] = [
  "at some time",
  "at the start",
  "after a message was sent",
  "in the model call",
  "after a send was accepted",
];

describe.each(["polling", "webhook"] as const)("by %s", (by) => {
  test(
    `no message is lost, none answered twice, order kept, through ${kills} kills`,
    { timeout: 180_000 },
    async () => {
      const stage = await openStage({ by, config, seed });
      stage.note(`KILL_SEED=${seed}`);
      const events = { sent: () => {}, asked: () => {}, accepted: () => {} };
      const crowd = startCrowd(stage, {
        seed,
        users: 32,
        pauseMs: 1_500,
        onSent: () => events.sent(),
        onAsked: () => events.asked(),
      });
      stage.platform.log.onAccepted((call) => isAnswer(call) && events.accepted());

      const random = streamsOf(seed)(`kills by ${by}`);
      await sleep(1_500);
      for (let kill = 0; kill < kills; kill++) {
        const moment = random.pick(moments);
        if (kill > 0) await startAgain(stage, moment, random.int(50, 1_200));
        if (moment !== "at the start") await until(moment, events, random.int(0, 20));
        if (moment !== "after a send was accepted") await sleep(random.int(0, moment === "at some time" ? 1_200 : 40));
        await stage.gateway.kill();
        stage.note(`kill ${kill + 1} ${moment}`);
      }
      await stage.gateway.start();
      await sleep(1_000);
      await crowd.stop();
      await untilQuiet(stage);
      expectKept(stage, { more: pagesWrong(stage) });
      await crowd.sayLast();
      await untilQuiet(stage);

      const { text, report } = expectKept(stage, { more: [...pagesWrong(stage), ...forgotten(stage, crowd)] });
      const { answered, cut } = foldsOf(stage);
      const folds = `${answered} folds and ${cut} cut off, ${crowd.folded()} conversations with a summary`;
      console.log(`by ${by}, KILL_SEED=${seed}: ${text}, ${folds}`);
      expect(stage.gateway.kills).toHaveLength(kills);
      expect(report.counts.answered).toBeGreaterThan(100);
      expect(crowd.folded()).toBeGreaterThan(0);
    },
  );

  test(
    "SIGTERM under load: running turns end, nothing is lost and nothing sent twice",
    { timeout: 120_000 },
    async () => {
      const stage = await openStage({ by, config: { ...config, server: { graceSeconds: 4 } }, seed });
      stage.note(`KILL_SEED=${seed}`);
      // So that some sends are accepted and not yet answered whenever the signal comes.
      await stage.platform.fault({ method: "sendMessage", kind: "delay", ms: 150, accepted: true });
      const crowd = startCrowd(stage, { seed, users: 32, pauseMs: 800 });
      const random = streamsOf(seed)(`terms by ${by}`);
      for (let term = 0; term < 3; term++) {
        await sleep(random.int(1_000, 2_000));
        const exit = await stage.gateway.terminate();
        expect(exit).toMatchObject({ code: 0, signal: null });
        expect(exit.ms).toBeLessThan(5_500);
        await stage.gateway.start();
      }
      await sleep(500);
      await crowd.stop();
      await untilQuiet(stage);
      const { text } = expectKept(stage, { more: pagesWrong(stage) });
      console.log(`SIGTERM by ${by}, KILL_SEED=${seed}: ${text}`);
    },
  );
});

/** Requests for a summary of older history: how many were answered, and how many ended with their gateway. */
function foldsOf({ model }: Stage): { readonly answered: number; readonly cut: number } {
  const outcomes = model.log.flatMap(({ summary, outcome }) => (summary ? [outcome] : []));
  const answered = outcomes.filter((outcome) => outcome === "answered").length;
  return { answered, cut: outcomes.length - answered };
}

/** Starts it, and lets it be ready unless it is to be killed before. */
async function startAgain({ gateway }: Stage, moment: Moment, startMs: number): Promise<void> {
  gateway.launch();
  if (moment === "at the start") await sleep(startMs);
  else await gateway.ready();
}

/** Resolves at the moment, `after` others like it; within a second and a half in any case. */
async function until(
  moment: Moment,
  events: { sent(): void; asked(): void; accepted(): void },
  after: number,
): Promise<void> {
  const which = {
    "after a message was sent": "sent",
    "in the model call": "asked",
    "after a send was accepted": "accepted",
  } as const;
  if (moment === "at some time" || moment === "at the start") return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, 1_500);
  let left = after;
  events[which[moment]] = () => {
    left -= 1;
    if (left < 0) resolve();
  };
  await promise;
  clearTimeout(timer);
}
