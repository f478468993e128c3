/** The client agent: {@link Agent} on the OpenAI Agents SDK. It keeps nothing between turns. */
import { Agent as SdkAgent, Runner, type AgentInputItem, type Model } from "@openai/agents";
import type { Agent, HistoryItem, TurnHooks, TurnInput, TurnOutput } from "../../src/agent.ts";
import { payerOf, type Meter } from "../../src/budgets.ts";
import type { Effects } from "../../src/effects.ts";
import { TerminalError } from "../../src/errors.ts";
import { fromPeople, type Answer } from "../../src/message.ts";
import type { Blobs, Clock, Log } from "../../src/ports.ts";
import type { Documents, Transcriber } from "../../src/reading.ts";
import type { CallFile, ToolSource } from "../../src/tools.ts";
import { blobsOf } from "../../src/tenant-blobs.ts";
import { holdsContent } from "./content.ts";
import { promptOf } from "./context.ts";
import { edgeModel } from "./edge.ts";
import { settled } from "./failures.ts";
import { withPictures } from "./images.ts";
import { createCrew } from "./crew.ts";
import { createGuardrails, endedBy, heldBack } from "./guardrails/index.ts";
import { handOver } from "./hand-over.ts";
import { summaryInstructions } from "./instructions.ts";
import { createMediaReader, type Readings } from "./media.ts";
import { modelOf, type AgentModels } from "./models.ts";
import { createNoteKeeper } from "./notes.ts";
import { plain } from "./plain.ts";
import { atWorkIn, pauseOf, resumed } from "./pause.ts";
import { clip } from "./render.ts";
import { roleOf, type InstructionsContext, type Role } from "./role.ts";
import type { ClientAgentSettings } from "./settings.ts";
import { openToolbox } from "./toolbox.ts";
import { createTurnContext, type TurnContext } from "./turn-context.ts";
import { seesPictures } from "./vision.ts";

export interface ClientAgentDeps {
  /** In the configuration; the one that people are shown unless given. */
  readonly name?: string;
  /** All that are configured, this one too: whom it may hand a conversation to. */
  readonly roles?: () => ReadonlyMap<string, Role>;
  readonly models: AgentModels;
  readonly clock: Clock;
  readonly blobs: Blobs;
  readonly log: Log;
  /** Without it the agent is told that it could not hear what people said. */
  readonly transcriber?: Transcriber | undefined;
  /** Tools from outside, and the ledger of what they change; none unless given. */
  readonly outside?: OutsideTools | undefined;
  /** Without it the agent knows documents by name, type and size only. */
  readonly documents?: Documents | undefined;
  /** Runs are recorded as the SDK's traces. What becomes of those is set where the models are made. */
  readonly tracing?: boolean;
}

export interface OutsideTools {
  readonly sources: readonly ToolSource[];
  readonly effects: Effects;
  /** Where anybody has a budget. */
  readonly meter?: Meter | undefined;
}

/** Of a summary, whatever the model writes, and of one message that it is made from. */
const longestSummary = 4_000;
const longestSummarized = 2_000;

export function createClientAgent(settings: ClientAgentSettings, deps: ClientAgentDeps): Agent {
  const { clock, log } = deps;
  const runner = new Runner({
    tracingDisabled: !(deps.tracing ?? false),
    traceIncludeSensitiveData: false,
    toolNotFoundBehavior: "return_error_to_model",
  });
  const { name = settings.name } = deps;
  const own = deps.roles?.().get(name) ?? roleOf(name, settings, log);
  const guardrailsOf = once((role: Role) =>
    createGuardrails(role.settings.guardrails, { models: deps.models, model: role.settings.model, clock, log }, runner),
  );
  const guardrails = guardrailsOf(own);
  const { transcriber, documents } = deps;
  const readMedia = createMediaReader({ transcriber, documents, clock, log });
  const sees = seesPictures(settings.vision, settings.model);

  async function execute(given: TurnInput, hooks: TurnHooks): Promise<TurnOutput> {
    const held = given.resume && heldBack(given.resume);
    if (held !== undefined && given.resume?.approved === false) return { answer: { parts: [], notice: "withheld" } };
    if (held?.answer !== undefined) return { answer: held.answer, outside: true };
    const past = guardrails.past(given.history, held === undefined ? undefined : given.resume?.turn);
    const input = { ...(held === undefined ? given : letThrough(given)), history: past };
    const { tokens } = settings.context;
    // Half of the prompt's bytes for documents, half of the turn's time for all media.
    const bounds = { sees, documentBytes: tokens * 2, mostMs: settings.timeoutMs / 2 };
    const readings = await readMedia(input, hooks, bounds);
    hooks.signal.throwIfAborted();
    const toolboxOf = once((role: Role) =>
      openToolbox(outsideOf(deps, role), callerOf(input, role.name), hooks.signal),
    );
    const { standing } = await toolboxOf(own);
    const known = { readings, standing };
    const prompt = promptOf(withoutResumed(input), tokens, clock.now(), known);
    const messages = withPictures(guardrails.masked(prompt.messages), picturesOf(input, readings));
    const { signal, onWait, onProgress: progress = () => undefined } = hooks;
    let atWork = own;
    const guardOf = once((role: Role) =>
      guardrailsOf(role).turn({ input, readings, signal, onWait, passed: held !== undefined }),
    );
    const { turn, attempt, to } = input;
    const { conversation, tenant } = to;
    const payer = payerOf(input.agent, to);
    const blobs = blobsOf(deps.blobs, tenant);
    const context = createTurnContext({
      turn,
      attempt,
      signal,
      blobs,
      conversation,
      now: clock.now,
      note: input.resume?.note,
      progress,
      ask: hooks.onQuestion,
      files: filesOf(input, hooks),
      chain: chainOf(input),
      attached: toldFiles(input),
      notes: createNoteKeeper(input, known),
      searchPast: hooks.searchPast,
      content: holdsContent(input, standing),
      mayShow: async (text) => (await guardOf(atWork).mayShow?.(text)) ?? true,
    });
    const answered = () =>
      context.attached.length > 0 || context.choices !== undefined || context.handsOver !== undefined;
    const crew = await createCrew({
      start: own,
      roles: deps.roles?.() ?? new Map(),
      knownAs: input.resume && atWorkIn(input.resume),
      handedBy: input.handedBy,
      toolboxOf,
      guardOf,
      toolsOf: (role) =>
        role.settings.handsOver && hooks.mayHandOver === true ? [...role.tools, handOver] : role.tools,
      instructionsOf: async ({ instructions }) =>
        typeof instructions === "string" ? instructions : instructions(instructionsContext(input, clock.now())),
      modelOf: async (role) => {
        const { model: spec, retries } = role.settings;
        const model = await modelOf(deps.models, spec, { tenant, line: conversation, payer, turn, onWait });
        const { masked, holdsBack } = guardrailsOf(role);
        return edgeModel({
          model,
          before: masked(prompt.before),
          // What the one that began was given is without what its own rules leave out.
          shown: role === own ? undefined : masked,
          retries,
          clock,
          log,
          // What a rule may take is not shown before it is checked.
          onText: holdsBack ? undefined : hooks.onText,
          onInput: guardOf(role).sees,
          answered,
        });
      },
      async onHandoff(from, to) {
        atWork = to;
        log.info({ turn, from: from.name, to: to.name }, "a conversation is handed over");
        await guardOf(to).admit();
      },
    });
    const asked = input.resume === undefined ? messages : await resumed(crew.start, input.resume, context);
    const result = await runner
      .run(crew.start, asked, {
        context,
        maxTurns: settings.maxTurns,
        signal: hooks.signal,
        errorHandlers: {
          modelRefusal({ error }) {
            context.doubts.add("refused");
            return "refusal" in error ? { finalOutput: error.refusal } : undefined;
          },
        },
      })
      .catch((error: unknown) => {
        if (signal.aborted || guardOf(atWork).trip === undefined) throw error;
      });
    const guard = guardOf(atWork);
    const by = atWork.name === name ? {} : { by: atWork.name };
    const doubted = () => doubtsOf(context, input, guard.trip !== undefined);
    const kept = { ...by, ...keptOf(input, readings), ...(context.content && { outside: true as const }) };
    const approvalMs = atWork.settings.approvalSeconds * 1_000;
    if (result === undefined) return { ...endedBy(guard, context, approvalMs), ...kept, ...doubted() };
    const { requests, inputTokens, outputTokens } = result.runContext.usage;
    const said = { usage: { requests, inputTokens, outputTokens }, ...kept };
    const needOf = (tool: string, args: unknown) => crew.needOf(atWork, tool, args, context.content);
    const implied = (tool: string, args: unknown) => crew.implied(atWork, tool, args, context.content);
    const pause = pauseOf(result, needOf, implied, approvalMs);
    const { changes } = context.notes;
    // What a guard ended has noted nothing.
    const noted = changes.length > 0 ? { notes: changes } : {};
    const { handsOver } = context;
    const text = pause === undefined ? await guard.said(result.finalOutput ?? "") : "";
    if (guard.trip !== undefined) return { ...endedBy(guard, context, approvalMs), ...said, ...doubted() };
    const whole = { ...said, ...noted, ...doubted() };
    if (handsOver !== undefined) return { answer: answerOf(text, context), handsOver, ...whole };
    if (pause !== undefined) return { answer: { parts: context.attached }, pause, ...whole };
    return { answer: answerOf(text, context), ...whole };
  }

  async function condense(model: Model, text: string, signal: AbortSignal): Promise<string> {
    const edge = { model, before: [], retries: settings.retries, clock, log, answered: () => false };
    const agent = new SdkAgent({ name: "summary", instructions: summaryInstructions, model: edgeModel(edge) });
    const items: AgentInputItem[] = [{ type: "message", role: "user", content: text }];
    const result = await runner.run(agent, items, { maxTurns: 1, signal });
    return clip((result.finalOutput ?? "").trim(), longestSummary);
  }

  return {
    run: (input, hooks) => settled(execute(input, hooks), hooks.signal, settings),
    summarize({ summary, items, signal, caller = { tenant: "", line: "" } }) {
      const work = async () => {
        const model = await modelOf(deps.models, settings.summaryModel ?? settings.model, caller);
        return condense(model, summaryPrompt(summary, guardrails.past(items)), signal);
      };
      return settled(work(), signal, settings);
    },
  };
}

/** Where an operator has let a message through it is answered now: as what was said last. */
function letThrough({ resume: _decided, ...input }: TurnInput): TurnInput {
  return input;
}

/** What the run shows that speaks against its answer. */
function doubtsOf(
  { doubts, handsOver }: TurnContext,
  { resume }: TurnInput,
  tripped: boolean,
): Pick<TurnOutput, "doubts"> {
  const all = new Set(doubts);
  if (handsOver !== undefined) all.add("handed-over");
  if (resume?.approved === false) all.add("tool-refused");
  if (tripped) all.add("guardrail");
  return all.size === 0 ? {} : { doubts: [...all] };
}

/** What the run that goes on was told is in its state. */
function withoutResumed(input: TurnInput): TurnInput {
  const { resume, history } = input;
  return resume === undefined ? input : { ...input, history: history.filter(({ turn }) => turn !== resume.turn) };
}

function outsideOf({ outside, clock, log }: ClientAgentDeps, { settings }: Role) {
  const { tools: allowed, rules } = settings;
  return outside === undefined ? undefined : { ...outside, allowed, rules, clock, log };
}

function instructionsContext({ to, participant }: TurnInput, now: number): InstructionsContext {
  const { channel, tenant, kind } = to;
  const { name, locale } = participant;
  return { channel, tenant, kind, person: { name, locale }, now: new Date(now) };
}

/** One for each key. */
function once<Key, Value>(make: (key: Key) => Value): (key: Key) => Value {
  const made = new Map<Key, Value>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}

function callerOf({ agent, to, participant, turn }: TurnInput, agentName: string) {
  return { agent, agentName, to, participant, turn };
}

/** What people sent that a tool may pass on. */
function filesOf({ messages }: TurnInput, { openMedia }: TurnHooks): readonly CallFile[] {
  const media = fromPeople(messages).flatMap(({ message }) => message.parts.filter((part) => "source" in part));
  return media.map((part) => ({ part, open: () => openMedia(part) }));
}

/** Of messages that are answered together, the one that came the longest way. */
function chainOf({ messages }: TurnInput): readonly string[] {
  return messages.map(({ message }) => message.chain ?? []).reduce((a, b) => (b.length > a.length ? b : a), []);
}

/** Files of what the gateway told the agent are the person's. */
function toldFiles({ messages }: TurnInput): Answer["parts"] {
  const notes = messages.filter(({ note }) => note !== undefined);
  return notes.flatMap(({ message }) => message.parts.filter((part) => "source" in part));
}

function picturesOf({ messages }: TurnInput, readings: Readings) {
  return messages.map(({ message }) =>
    message.parts.flatMap((part) => ("source" in part ? (readings.get(part)?.picture ?? []) : [])),
  );
}

function keptOf({ messages }: TurnInput, readings: Readings): Pick<TurnOutput, "read"> {
  const read = messages.flatMap(({ id, message }) =>
    message.parts.flatMap((part, at) => {
      const text = "source" in part ? readings.get(part)?.kept : undefined;
      return text === undefined ? [] : [{ message: id, part: at, text }];
    }),
  );
  return read.length === 0 ? {} : { read };
}

/** The model's text, then what the tools attached; buttons need a text to belong to. */
function answerOf(output: string, { attached, choices, handsOver }: TurnContext): Answer {
  const text = output.trim() === "" ? (choices?.question ?? "") : output;
  const parts: Answer["parts"] = text === "" ? [] : [{ kind: "text" as const, text, format: "markdown" as const }];
  parts.push(...attached);
  if (parts.length === 0 && handsOver === undefined) throw new TerminalError("the model gave an empty answer");
  return choices === undefined ? { parts } : { parts, buttons: [...choices.buttons] };
}

function summaryPrompt(summary: string | undefined, items: readonly HistoryItem[]): string {
  const before = summary === undefined || summary === "" ? [] : [`summary: ${plain(summary)}`];
  const lines = items.map(({ role, name, text }) => {
    const said = plain(clip(text, longestSummarized)).replace(/\s*[\n\r\u2028\u2029]\s*/g, " ");
    return name === undefined ? `${role}: ${said}` : `${role}: [${JSON.stringify(plain(clip(name, 80)))}] ${said}`;
  });
  return [...before, ...lines].join("\n");
}
