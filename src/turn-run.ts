/** One turn: its messages are taken, its agent runs, and what comes of it is brought back. */
import type { Resume, TurnHooks, TurnOutput } from "./agent.ts";
import type { AgentOf, Answering } from "./agent-choice.ts";
import type { Switch } from "./agent-command.ts";
import { untilAborted } from "./abort.ts";
import { keepAlive } from "./alive.ts";
import type { Channel } from "./channel.ts";
import type { CallAgent, Decided, Taken } from "./agent-calls.ts";
import type { Approvals } from "./approvals.ts";
import { createAsk } from "./asking.ts";
import { askIdOf, questionOf } from "./asks.ts";
import { BudgetError } from "./budgets.ts";
import { BusyError, fateOf, InfrastructureError, reasonOf } from "./errors.ts";
import type { Asked, Once, TurnRef } from "./events.ts";
import type { SafeFetch } from "./fetch.ts";
import { listsButtons } from "./format.ts";
import type { AgentId } from "./ids.ts";
import { openMedia } from "./media.ts";
import { fromPeople, type Address, type Answer, type InboundMessage, type Made, type NoticeKey } from "./message.ts";
import type { ModelWait } from "./model-line.ts";
import type { Blobs, Clock, Log } from "./ports.ts";
import { showProgress, type Progress } from "./progress.ts";
import { isService } from "./scheduling.ts";
import type { Serve } from "./services.ts";
import { personAsked } from "./takeover.ts";
import type { WantedPerson } from "./takeover-state.ts";
import type { Takeovers } from "./takeovers.ts";
import { createTimeLimit } from "./time-limit.ts";
import { addressedIn, AgentGone, castOf, checkCast, type Cast } from "./turn-agent.ts";

/** The turn was stopped, superseded or handed over: its runner ends without a word. */
export class TurnAbandoned extends Error {
  override readonly name = "TurnAbandoned";
}
/** The agent took longer than its `turnTimeoutMs`, what it stood in line not counted. */
export class TurnTimeout extends Error {
  override readonly name = "TurnTimeout";
}

/** What one turn needs. */
export interface RunOptions {
  readonly call: CallAgent;
  readonly clock: Clock;
  readonly log: Log;
  readonly blobs: Blobs;
  readonly safeFetch?: SafeFetch | undefined;
  readonly agentOf: AgentOf;
  readonly channelOf: (to: Address) => Channel | undefined;
  readonly approvals: Pick<Approvals, "want" | "close">;
  readonly takeovers: Pick<Takeovers, "mayAsk" | "want" | "over">;
  /** Answers the gateway's own commands. */
  readonly serve: Serve;
  /** Answers /agent. */
  readonly switchAgent: Switch;
  /** Runners tell the actor that they live: needed where it may be hosted by another process. */
  readonly tellAlive: boolean;
}

export interface LeftTurn {
  readonly agent: AgentId;
  readonly turn: TurnRef;
}

export interface Running extends LeftTurn {
  readonly to: Address;
  readonly abort: AbortController;
  /** Wake what waits for the person's word on a question; see `asking.ts`. */
  readonly asking: Set<() => void>;
}

/** Runs it to its end; whatever comes of it is the agent's to know. */
export async function runTurn(options: RunOptions, run: Running): Promise<void> {
  const { agent: id, turn, abort } = run;
  const { clock, log } = options;
  const alive = {
    clock,
    log,
    tell: () => options.call(id, "alive", turn),
    lost: (why: string) => abort.abort(new TurnAbandoned(why)),
  };
  const stopAlive = options.tellAlive ? keepAlive(alive) : () => undefined;
  let progress: Progress | undefined;
  try {
    const taken = await persistently(options, abort.signal, () => options.call(id, "take", turn));
    if (taken === "stale") return;
    const messages = taken.messages.map((message) => message.id);
    const cast = castOf(options, taken);
    const { traits } = cast.answering;
    const channel = options.channelOf(taken.to);
    progress = showProgress({
      channel,
      to: taken.to,
      turn: `${id} ${turn.turn}`,
      answers: fromPeople(taken.messages).map((message) => message.id),
      locale: fromPeople(taken.messages).at(-1)?.participant.locale,
      clock,
      log,
    });
    const limit = createTimeLimit(clock, traits.turnTimeoutMs, () =>
      abort.abort(new TurnTimeout(`no answer within ${traits.turnTimeoutMs} ms`)),
    );
    const { inLine } = progress;
    const onWait = (wait: ModelWait | undefined): void => {
      if (wait === undefined) limit.resume();
      else limit.pause();
      inLine?.(wait?.expectedMs);
    };
    const heard: string[] = [];
    const onHeard = (question: string) => void heard.push(question);
    const outcome = await answer(options, run, cast, { progress, onWait, onHeard }).then(
      (output) => ({ output }),
      (error: unknown) => ({ error }),
    );
    limit.end();
    if ("output" in outcome) {
      const { output } = outcome;
      if (output === undefined) return;
      const { answer: said, ...waits } = await waiting(options, run, cast, output);
      const { read, outside, notes } = output;
      const listed = channel !== undefined && listsButtons(said, channel);
      const spoke = isServed(cast) ? undefined : (output.by ?? cast.answering.name);
      const made = spoke && madeBy(options.agentOf(taken.to, { begunBy: spoke }), turn, output);
      const kept = {
        ...(read && { read }),
        ...(outside && { outside }),
        ...(notes && { notes }),
        ...addressedIn(options.agentOf, cast, output),
        ...(made && { made }),
      };
      const end = { messages, answer: said, heard, ...kept, ...(listed && { listed }), ...waits };
      await tellDecided(options, taken);
      const finish = () => options.call(id, "finish", { ...turn, ...end });
      const reply = await persistently(options, abandoned(abort.signal), finish);
      const { wanted } = waits;
      const over = new AbortController().signal;
      if (reply === "stale" && wanted !== undefined)
        await persistently(options, over, () => options.takeovers.over(taken.to, wanted.id));
      return;
    }
    const reason: unknown = abort.signal.aborted ? abort.signal.reason : outcome.error;
    if (reason instanceof TurnAbandoned) return;
    const notice = noticeOf(reason);
    // Who waits for an answer, as programs do, has one each time.
    const once = channel?.traits.refuses === true ? undefined : onceOf(reason);
    const about = { agent: id, conversation: turn.conversation, turn: turn.turn, reason: reasonOf(reason) };
    // Nothing is wrong: who has to know of it is told where it ended.
    if (reason instanceof BudgetError) log.info(about, "the agent gives no answer: there is nothing left for it");
    else log.error(about, "the agent gave no answer; the person is told so");
    await tellDecided(options, taken);
    await persistently(options, abandoned(abort.signal), () =>
      options.call(id, "fail", { ...turn, messages, notice, once, ...addressedIn(options.agentOf, cast) }),
    );
  } catch (error) {
    if (!(error instanceof TurnAbandoned)) throw error;
  } finally {
    progress?.end();
    stopAlive();
  }
}

/** The gateway's own turn: no agent runs in it. */
function isServed({ taken: { messages }, switched }: Cast): boolean {
  const [first] = messages;
  if (switched !== undefined) return switched.message === undefined;
  return first !== undefined && isService(first);
}

/** Undefined where nobody rates answers. */
function madeBy({ name, made }: Answering, { turn }: TurnRef, { doubts }: TurnOutput): Made | undefined {
  if (made === undefined) return undefined;
  return { turn, agent: name, ...made, ...(doubts && { doubts: [...doubts] }) };
}

function noticeOf(reason: unknown): NoticeKey {
  if (reason instanceof AgentGone) return "agentGone";
  if (reason instanceof TurnTimeout) return "timeout";
  if (reason instanceof BusyError || (reason instanceof BudgetError && reason.reserved)) return "overloaded";
  if (reason instanceof BudgetError) return reason.window === "day" ? "budgetDay" : "budgetMonth";
  return "failed";
}

function onceOf(reason: unknown): Once | undefined {
  if (!(reason instanceof BudgetError) || reason.reserved) return undefined;
  return { period: reason.period, rule: "budget used up" };
}

/** What a turn tells while it runs. */
interface Showing extends Pick<TurnHooks, "onWait"> {
  readonly progress: Progress;
  readonly onHeard: (question: string) => void;
}

async function answer(
  options: RunOptions,
  run: Running,
  cast: Cast,
  { progress, onWait, onHeard }: Showing,
): Promise<TurnOutput | undefined> {
  const { signal } = run.abort;
  const { taken, answering, switched } = cast;
  const first = taken.messages[0];
  if (first === undefined) throw new TurnAbandoned("nothing to answer");
  if (isServed(cast)) return switched === undefined ? served(options, run, first) : { answer: switched.answer };
  checkCast(cast);
  const { agent, name, base = name } = answering;
  const work = agent.run(
    {
      agent: run.agent,
      turn: run.turn.turn,
      attempt: run.turn.attempt,
      to: taken.to,
      participant: (fromPeople(taken.messages).at(-1) ?? first).participant,
      summary: taken.summary,
      history: taken.history,
      ...(taken.notes === undefined ? {} : { notes: taken.notes }),
      messages: taken.messages,
      ...(taken.decided === undefined ? {} : { resume: resumeOf(taken.decided) }),
      ...(base === name ? {} : { handedBy: base }),
    },
    {
      signal,
      ...(progress.onText === undefined ? {} : { onText: progress.onText }),
      ...(onWait === undefined ? {} : { onWait }),
      onQuestion: createAsk({
        ...options,
        ...run,
        signal,
        channel: options.channelOf(taken.to),
        messages: taken.messages,
        onHeard,
      }),
      ...(progress.onProgress === undefined ? {} : { onProgress: progress.onProgress }),
      searchPast: (query) => options.call(run.agent, "search", { query }),
      mayHandOver: options.takeovers.mayAsk(taken.to),
      openMedia: (media) => {
        const { blobs, safeFetch } = options;
        return openMedia(media, { blobs, safeFetch, channel: options.channelOf(taken.to) }, signal);
      },
    },
  );
  // The late answer of an agent that does not heed its signal is stale.
  return untilAborted(work, signal);
}

function resumeOf({ turn, state, decision: { approved, note } }: Decided): Resume {
  return { turn, state, approved, ...(note === undefined ? {} : { note }) };
}

/** What is said where somebody is waited for from then on; everything that has to know of it knows then. */
async function waiting(
  options: RunOptions,
  { agent, turn, abort }: Running,
  { taken: { to, messages }, answering }: Cast,
  { answer: said, pause, handsOver, by: atWork }: TurnOutput,
): Promise<{ readonly answer: Answer; readonly asked?: Asked; readonly wanted?: WantedPerson }> {
  const { participant } = fromPeople(messages).at(-1) ?? messages[0] ?? {};
  if (participant === undefined) return { answer: said };
  const ids = messages.map((message) => message.id);
  const id = askIdOf(agent, turn.turn, ids);
  if (handsOver !== undefined) {
    // The person may have it done otherwise: a call that waits for a word is not made.
    const wanted = { id, to, participant, reason: handsOver.reason, turn: turn.turn };
    const { until, known } = await persistently(options, abort.signal, () => options.takeovers.want(wanted));
    const words = said.parts.length === 0 ? { ...said, ...personAsked(until - options.clock.now()) } : said;
    return { answer: words, ...(!known && { wanted: { id, until } }) };
  }
  if (pause === undefined) return { answer: said };
  const { by, calls, state, forMs } = pause;
  const until = options.clock.now() + forMs;
  const whose = answering.title === undefined ? {} : { agent: atWork ?? answering.name };
  const wanted = { id, agent, to, participant, by, calls: [...calls], until };
  await persistently(options, abort.signal, () => options.approvals.want(wanted, turn.turn));
  return { answer: questionOf(said.parts, id, pause, participant.locale), asked: { id, by, state, ...whose } };
}

/** Before the agent knows it for good: who dies in between tells it again. */
async function tellDecided(options: RunOptions, { to, decided, messages }: Taken): Promise<void> {
  if (decided === undefined) return;
  const { ask: id, approved } = decided.decision;
  const operator = messages[0]?.note === undefined ? undefined : messages[0].message.parts[0];
  const by = operator?.kind === "press" ? (operator.label ?? "operator") : "person";
  await persistently(options, new AbortController().signal, () =>
    options.approvals.close({ id, to }, { approved, by }),
  );
}

/** Undefined where nothing is left to say: the agent has ended the turn itself. */
async function served(options: RunOptions, run: Running, command: InboundMessage): Promise<TurnOutput | undefined> {
  const { signal } = run.abort;
  const serve = () => options.serve({ agent: run.agent, turn: run.turn, command, signal });
  const said = await persistently(options, signal, serve);
  if (said === undefined || !("handsOver" in said)) return said && { answer: said };
  return { answer: { parts: [] }, handsOver: said.handsOver };
}

/** Only a superseded turn is abandoned; one that is out of time still brings its word back. */
function abandoned(signal: AbortSignal): AbortSignal {
  if (signal.reason instanceof TurnTimeout) return new AbortController().signal;
  return signal;
}

/** Calls until it succeeds: what failed is our own infrastructure, and the watchdog takes over if this process dies. */
async function persistently<Result>(
  options: RunOptions,
  signal: AbortSignal,
  call: () => Promise<Result>,
): Promise<Result> {
  for (let attempt = 0; ; attempt++) {
    if (signal.reason instanceof TurnAbandoned) throw signal.reason;
    try {
      return await call();
    } catch (error) {
      if (fateOf(error).kind === "terminal") throw error;
      if (!(error instanceof InfrastructureError) && attempt >= 5) throw error;
      options.log.warn({ reason: reasonOf(error) }, "a call of the agent is tried again");
      await new Promise<void>((resolve) => options.clock.after(Math.min(100 * 2 ** attempt, 5_000), resolve));
    }
  }
}
