/** People write, and the platform hands it to the gateway: again and again, until it is told that it is taken. */
import type { Core } from "../../src/core.ts";
import type { Action, ChannelPlan, ConversationPlan } from "./plan.ts";
import { addressOf, codeIn, eventOf, participantOf } from "./events.ts";
import type { Run } from "./model.ts";
import { questionIn } from "./model-questions.ts";
import type { Gateway, Gateways } from "./gateways.ts";
import { operate } from "./operators.ts";
import type { Platform, Post } from "./platform.ts";
import type { World } from "./world.ts";

const patienceMs = 120_000;
/** Somebody who wants to join looks for the code so often, and who is to decide for what there is. */
const lookMs = 1_000;
const joinTries = 120;
const decideTries = 30;
/** How long the platform waits for the answer to a webhook. */
const webhookMs = 10_000;
const backoffMs = (tries: number) => Math.min(30_000, 500 * 2 ** tries);

/** @param runs what operators see of. */
export function startPeople(world: World, platform: Platform, gateways: Gateways, runs: readonly Run[]): void {
  const { loop, plan } = world;
  const takes = new Map(plan.channels.map((channel) => [channel.name, intakeOf(world, channel, gateways)]));
  const requests = webhook(world, false, gateways);
  const operators = webhook(world, true, gateways);
  const sequences = new Map<string, number>();

  /** Undefined where there is nothing yet that this could be about. */
  const wordsOf = (conversation: ConversationPlan, { does }: Action): string | undefined => {
    if (does.kind === "join") return codes(platform, does.of).at(-1);
    if (does.kind === "press") return buttonOf(platform, conversation.name, does);
    if (does.kind === "decide") return askedIn(runs, conversation);
    if (does.kind === "reply") return replyOf(platform, conversation.name, does);
    const changes = does.kind === "edit" || does.kind === "delete";
    return changes && !platform.posts.some(({ action }) => action.id === does.of) ? undefined : "";
  };

  const post = (conversation: ConversationPlan, action: Action): void => {
    const { kind } = action.does;
    const found = wordsOf(conversation, action);
    if (found === undefined && kind !== "join") return;
    const channel = plan.channels.find(({ name }) => name === conversation.channel)!;
    const sequence = (sequences.get(conversation.chat) ?? 0) + 1;
    sequences.set(conversation.chat, sequence);
    const known = found === "" ? {} : { words: found ?? "NONE" };
    const posted: Post = { action, conversation, channel, at: loop.now(), sequence, ...known };
    platform.posts.push(posted);
    world.note(action.user, () => `in ${conversation.name}: ${action.id} ${JSON.stringify(action.does)}`);
    if (kind === "operate") operators(posted);
    else if (kind === "request" || kind === "decide") requests(posted);
    else takes.get(channel.name)!(posted);
  };

  for (const conversation of plan.conversations)
    follow(world, platform, conversation, {
      act: (action) => post(conversation, action),
      mayAct: (action) => wordsOf(conversation, action) !== undefined,
    });
}

/** What is to be pressed, or typed where the platform has no buttons. */
function buttonOf(
  { received }: Platform,
  name: string,
  { says, of }: Extract<Action["does"], { kind: "press" }>,
): string | undefined {
  const typed = says === "approve" ? "1" : "2";
  const asked = received.flatMap(({ conversation, text, buttons }) => {
    if (conversation !== name) return [];
    if (/^1\. /m.test(text)) return [typed];
    return buttons.filter((button) => button.startsWith(`${says}:`));
  });
  return of === "first" ? asked[0] : asked.at(-1);
}

/** The button, or its number, or empty for words of their own. */
function replyOf(
  { received }: Platform,
  name: string,
  does: Extract<Action["does"], { kind: "reply" }>,
): string | undefined {
  const put = received.find(({ conversation, text }) => conversation === name && questionIn(text) === does.of);
  if (put === undefined || does.with === "words") return put && "";
  if (put.buttons.length > 0) return does.with === "skip" ? put.buttons.at(-1) : put.buttons[0];
  const listed = [...put.text.matchAll(/^(\d)\. /gm)].map(([, number]) => number);
  return does.with === "skip" ? listed.at(-1) : listed[0];
}

function askedIn(runs: readonly Run[], conversation: ConversationPlan): string | undefined {
  const own = addressOf(conversation).conversation;
  return runs.findLast(({ ask, input }) => ask !== undefined && input.to.conversation === own)?.ask?.id;
}

/** What the gateway gave there so far. */
function codes({ received }: Platform, name: string): string[] {
  return received.flatMap(({ conversation, text }) => (conversation === name ? (codeIn(text) ?? []) : []));
}

/** Does the actions of one conversation one after the other. */
function follow(
  world: World,
  platform: Platform,
  { name, actions }: ConversationPlan,
  { act, mayAct }: { readonly act: (action: Action) => void; readonly mayAct: (action: Action) => boolean },
): void {
  const { loop } = world;
  let answered: (() => void) | undefined;
  platform.onReceived(({ conversation }) => {
    if (conversation === name) answered?.();
  });
  const from = (at: number): void => {
    const action = actions[at];
    if (action === undefined) return;
    const go = (tries = 0): void => {
      const most = action.does.kind === "join" ? joinTries : decideTries;
      if (tries < most && !mayAct(action)) return void loop.at(loop.now() + lookMs, () => go(tries + 1));
      act(action);
      from(at + 1);
    };
    if (action.after === "previous" || at === 0) return void loop.at(loop.now() + action.waitMs, () => go());
    const cancel = loop.at(loop.now() + patienceMs, () => answered?.());
    answered = () => {
      answered = undefined;
      cancel();
      loop.at(loop.now() + action.waitMs, () => go());
    };
  };
  from(0);
}

type Intake = (post: Post) => void;

function intakeOf(world: World, channel: ChannelPlan, gateways: Gateways): Intake {
  return channel.intake === "polling"
    ? polling(world, channel, gateways)
    : webhook(world, channel.intake === "webhook", gateways);
}

async function handOver(world: World, { process, core }: Gateway, posts: readonly Post[]): Promise<void> {
  for (const post of posts) post.arrivedAt ??= world.loop.now();
  world.note("platform", () => `→ ${process.name}: ${posts.map(({ action }) => action.id).join(" ")}`);
  const [first] = posts;
  if (first?.action.does.kind === "request") return request(core, first);
  if (first?.action.does.kind === "decide") return decide(world, core, first, first.action.does);
  if (first?.action.does.kind === "operate") return operate(world, core, first, first.action.does);
  return core.inbound.accept(posts.map((post) => eventOf(post, world.plan.epoch, process.clock.now())));
}

async function request({ proactive }: Core, { action: { id, user, does }, conversation }: Post): Promise<void> {
  const to = { to: addressOf(conversation), participant: participantOf(conversation, user) };
  if (does.kind !== "request") return;
  if (does.form === "note") await proactive.prompt(to, id, { topic: "something due", text: `${id}, please` });
  else await proactive.say(to, id, { parts: [{ kind: "text", text: `says ${id}`, format: "plain" }] });
}

/** @throws what the operator tries again after. */
async function decide(
  { subject: { errors } }: World,
  { approvals }: Core,
  post: Post,
  { says }: Extract<Action["does"], { kind: "decide" }>,
): Promise<void> {
  const { action, conversation, words = "" } = post;
  const verdict = { approved: says === "approve", by: action.id, note: `${action.id}, please` };
  try {
    await approvals.decide(words, verdict, [addressOf(conversation)]);
  } catch (error) {
    if (!(error instanceof errors.InputError)) throw error;
    post.refused = error.message;
  }
}

function acknowledge(world: World, post: Post): void {
  post.acknowledgedAt ??= world.loop.now();
  world.note("platform", () => `${post.action.id} is taken`);
}

/** @param inTurn the updates of a conversation wait for one another. */
function webhook(world: World, inTurn: boolean, gateways: Gateways): Intake {
  const { loop } = world;
  const lines = new Map<string, Post[]>();

  const deliver = (post: Post, tries: number | undefined, taken: () => void): void => {
    const random = world.streams(`delivery of ${post.action.id}`);
    const again = (ms: number) => {
      if (tries !== undefined) loop.at(loop.now() + ms, () => deliver(post, tries + 1, taken));
    };
    const ready = gateways.ready();
    if (ready.length === 0) return again(backoffMs(tries ?? 0));
    const gateway = random.pick(ready);
    let open = true;
    const close = (ms: number) => {
      if (!open) return;
      open = false;
      cancel();
      again(ms);
    };
    const cancel = loop.at(loop.now() + webhookMs, () => close(0));
    gateway.process.onDeath(() => close(50));
    handOver(world, gateway, [post]).then(
      () =>
        gateway.process.schedule(random.between(1, 30), () => {
          if (!open) return;
          open = false;
          cancel();
          acknowledge(world, post);
          taken();
        }),
      () => gateway.process.schedule(random.between(1, 30), () => close(backoffMs(tries ?? 0))),
    );
  };

  const next = (line: Post[]): void => {
    const post = line[0];
    if (post === undefined) return;
    deliver(post, 0, () => {
      line.shift();
      next(line);
    });
  };

  return (post) => {
    const { id, copies, echoMs } = post.action;
    const random = world.streams(`update ${id}`);
    for (let copy = 1; copy < copies; copy++)
      loop.at(loop.now() + random.between(0, 60), () => deliver(post, undefined, () => undefined));
    if (echoMs !== undefined) loop.at(loop.now() + echoMs, () => deliver(post, undefined, () => undefined));
    if (!inTurn) return void loop.at(loop.now() + random.between(0, 80), () => deliver(post, 0, () => undefined));
    const line = lines.get(post.conversation.name) ?? [];
    lines.set(post.conversation.name, line);
    if (line.push(post) === 1) next(line);
  };
}

/** One process at a time fetches what comes after the last update that it has confirmed. */
function polling(world: World, channel: ChannelPlan, gateways: Gateways): Intake {
  const { loop } = world;
  const random = world.streams(`polling ${channel.name}`);
  const queue: Post[] = [];
  let holder: Gateway | undefined;
  let busy = false;

  const pauseFor = (ms: number): void => {
    busy = true;
    loop.at(loop.now() + ms, () => {
      busy = false;
      poll();
    });
  };
  const poll = (): void => {
    if (busy || queue.length === 0) return;
    if (holder === undefined || holder.process.stopping) {
      holder = gateways.ready()[0];
      return pauseFor(random.between(200, 4_000));
    }
    const { process } = holder;
    const updates = queue.slice(0, channel.batch);
    let open = true;
    busy = true;
    const over = (confirmed: boolean, ms: number) => {
      if (!open) return;
      open = false;
      if (confirmed) for (const update of queue.splice(0, updates.length)) acknowledge(world, update);
      pauseFor(ms);
    };
    process.onDeath(() => over(false, random.between(200, 4_000)));
    handOver(world, holder, updates).then(
      () => process.schedule(random.between(1, 30), () => over(true, 0)),
      () => process.schedule(1_000, () => over(false, 0)),
    );
  };
  return (post) => {
    queue.push(post);
    poll();
  };
}
