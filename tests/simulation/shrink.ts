/** A failing plan made small: elements are left out and made simple for as long as the same rule stays broken. */
import type { Action, ChannelPlan, ConversationPlan, Fault, Plan, Work } from "./plan.ts";

/** The most runs that it takes. */
const mostRuns = 1_500;

/** @param fails whether that plan breaks the same rule. */
export async function shrink(plan: Plan, fails: (plan: Plan) => Promise<boolean>): Promise<Plan> {
  let smallest = plan;
  let runs = 0;
  for (let progress = true; progress;) {
    progress = false;
    for (const candidate of smaller(smallest)) {
      if (++runs > mostRuns) return smallest;
      if (!(await fails(candidate))) continue;
      smallest = candidate;
      progress = true;
      break;
    }
  }
  return smallest;
}

/** The boldest first. */
function* smaller(plan: Plan): Generator<Plan> {
  for (const conversations of without(plan.conversations)) {
    if (conversations.length > 0) yield { ...plan, conversations };
  }
  for (const size of [8, 4, 2, 1]) {
    for (const faults of without(plan.faults, size)) yield { ...plan, faults };
  }
  for (const [at, conversation] of plan.conversations.entries()) {
    for (const actions of without(conversation.actions)) {
      if (actions.length > 0) yield withConversation(plan, at, { ...conversation, actions });
    }
  }
  const { silentMs, ...settings } = plan.settings;
  if (silentMs !== undefined) yield { ...plan, settings };
  if (plan.replicas > 2) yield { ...plan, replicas: plan.replicas - 1 };
  for (const [at, conversation] of plan.conversations.entries()) {
    for (const [which, action] of conversation.actions.entries()) {
      for (const simpler of simplerActions(action)) {
        yield withConversation(plan, at, { ...conversation, actions: conversation.actions.with(which, simpler) });
      }
    }
  }
  for (const [at, channel] of plan.channels.entries()) {
    for (const simpler of simplerChannels(channel)) yield { ...plan, channels: plan.channels.with(at, simpler) };
  }
  for (const [at, fault] of plan.faults.entries()) {
    for (const simpler of simplerFaults(fault)) yield { ...plan, faults: plan.faults.with(at, simpler) };
  }
}

function* without<Item>(items: readonly Item[], size = 1): Generator<Item[]> {
  if (size > items.length) return;
  for (let at = items.length - size; at >= 0; at -= size) yield items.toSpliced(at, size);
}

function withConversation(plan: Plan, at: number, conversation: ConversationPlan): Plan {
  return { ...plan, conversations: plan.conversations.with(at, conversation) };
}

function* simplerActions(action: Action): Generator<Action> {
  const { echoMs, ...once } = action;
  if (echoMs !== undefined) yield once;
  if (action.copies > 1) yield { ...action, copies: 1 };
  if (action.after === "answer") yield { ...action, after: "previous" };
  if (action.waitMs > 0) yield { ...action, waitMs: 0 };
  const { does } = action;
  if (!("mood" in does)) return;
  if (does.kind === "say" && does.parts > 1) yield { ...action, does: { ...does, parts: 1 } };
  const { asks, ...mood } = does.mood;
  if (asks !== undefined) yield { ...action, does: { ...does, mood } };
  if (does.mood.question !== undefined) {
    const { question: _question, ...rest } = does.mood;
    yield { ...action, does: { ...does, mood: rest } };
  }
  for (const simpler of simplerWork(does.mood.work ?? [])) {
    const { work: _work, ...rest } = does.mood;
    yield { ...action, does: { ...does, mood: simpler.length === 0 ? rest : { ...rest, work: simpler } } };
  }
  if (does.mood.ends !== "answers") yield { ...action, does: { ...does, mood: { ...does.mood, ends: "answers" } } };
  if (does.mood.thinkMs > 200) {
    yield { ...action, does: { ...does, mood: { ...does.mood, thinkMs: 200 } } };
    const half = Math.round(does.mood.thinkMs / 2);
    if (half > 500) yield { ...action, does: { ...does, mood: { ...does.mood, thinkMs: half } } };
  }
}

function* simplerWork(work: readonly Work[]): Generator<Work[]> {
  for (const fewer of without(work)) yield fewer;
  for (const [at, one] of work.entries()) {
    const { asks, ...silent } = one;
    if (asks !== undefined) yield work.with(at, silent);
    if (one.makes > 0) yield work.with(at, { ...one, makes: 0 });
    if (one.waits) yield work.with(at, { ...one, waits: false });
    if (one.breaks > 0) yield work.with(at, { ...one, breaks: 0 });
    if (one.forgotten) yield work.with(at, { ...one, forgotten: false });
    if (one.ends !== "completes") yield work.with(at, { ...one, ends: "completes" });
    if (one.takesMs > 100) yield work.with(at, { ...one, takesMs: 100 });
  }
}

function* simplerChannels(channel: ChannelPlan): Generator<ChannelPlan> {
  const { idempotentMs, ...plain } = channel;
  if (idempotentMs !== undefined) yield plain;
  if (!channel.buttons) yield { ...channel, buttons: true };
  if (channel.lively) yield { ...channel, lively: false };
  if (channel.intake !== "webhook") yield { ...channel, intake: "webhook" };
}

function* simplerFaults(fault: Fault): Generator<Fault> {
  if ("forMs" in fault && fault.forMs > 300) yield { ...fault, forMs: 300 };
  if ("downMs" in fault && fault.downMs > 300) yield { ...fault, downMs: 300 };
  if (fault.kind === "stop") yield { kind: "crash", at: fault.at, slot: fault.slot, downMs: fault.downMs };
}
