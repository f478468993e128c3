/**
 * I8 and I1 where a run waits for a word: what it stopped before is done once at most, in the one turn that goes on with it, and
 * only after an approval that came in time, by somebody who may. A word that does not count was too late.
 */
import { addressOf, isTyped, participantOf, postId } from "../events.ts";
import { stateOf, type Run } from "../model.ts";
import type { Post } from "../platform.ts";
import type { Evidence, Violation } from "./evidence.ts";
import { nameOf } from "./links.ts";

/** What one ask's life shows. */
interface Life {
  readonly id: string;
  /** The run whose question was kept. */
  readonly asking: Run;
  /** It may have been asked more than once, and kept once. */
  readonly attempts: readonly Run[];
  /** The runs that went on with it. */
  readonly resumed: readonly Run[];
}

export function checkAsks(evidence: Evidence): Violation[] {
  const lives = livesOf(evidence);
  const words = evidence.posts.filter((post) => isWord(post) && post.refused === undefined);
  return [
    ...lives.flatMap((life) => [...once(evidence, life), ...allowed(evidence, life), ...inTime(evidence, life)]),
    ...told(evidence, lives),
    ...evidence.waiting.map((text) => ({ rule: "I1", text: `left at the end: ${text}` })),
    ...words.flatMap((word) => [...deaf(evidence, word), ...passedOver(evidence, lives, word)]),
  ];
}

function livesOf({ runs }: Evidence): Life[] {
  const askOf = new Map(runs.map((run) => [run.name, run.ask?.id]));
  const asking = Map.groupBy(
    runs.filter(({ ask }) => ask !== undefined),
    ({ ask }) => ask?.id ?? "",
  );
  return [...asking].flatMap(([id, attempts]) => {
    const resumed = runs.filter(({ input: { resume } }) => resume && askOf.get(stateOf(resume.state).run) === id);
    const kept = resumed[0]?.input.resume && stateOf(resumed[0].input.resume.state).run;
    const own = attempts.find(({ name }) => name === kept) ?? attempts.at(-1);
    return own === undefined ? [] : [{ id, asking: own, attempts, resumed }];
  });
}

/** One word, one turn, one effect. */
function once({ done }: Evidence, { id, asking, resumed }: Life): Violation[] {
  const words = new Set(resumed.flatMap(({ messages }) => messages));
  const turns = new Set(resumed.map(({ input }) => `${input.agent} ${input.turn}`));
  const effects = done.filter(({ run }) => resumed.includes(run));
  const keys = new Set(effects.map(({ key }) => key));
  const times = asking.ask?.effect === "once" ? effects.length : keys.size;
  return [
    ...(words.size > 1 ? [{ rule: "I2", text: `${id} went on with ${words.size} words` }] : []),
    ...(turns.size > 1 ? [{ rule: "I8", text: `${id} went on in ${[...turns].join(" and ")}` }] : []),
    ...(times > 1 ? [{ rule: "I8", text: `what ${id} asked for was done ${times} times` }] : []),
  ];
}

function allowed({ posts, done }: Evidence, { id, asking, resumed }: Life): Violation[] {
  return resumed.flatMap((run) => {
    const { resume } = run.input;
    const post = posts.find((one) => run.tokens.includes(one.action.id));
    const says = post !== undefined && "says" in post.action.does ? post.action.does.says : undefined;
    const wrong = (text: string) => [{ rule: "I8", text: `${run.name} went on with ${id} ${text}` }];
    if (post === undefined || says === undefined) return wrong("without anybody's word");
    if (resume?.turn !== asking.input.turn) return wrong(`as if ${resume?.turn} had asked`);
    if (resume.approved !== (says === "approve")) return wrong(`although ${post.action.id} says ${says}`);
    if (!resume.approved && done.some((effect) => effect.run === run)) return wrong("and did what was denied");
    return mayDecide(post, asking) ? [] : wrong(`by the word ${post.action.id}, which is not theirs`);
  });
}

function mayDecide({ action, conversation }: Post, { ask, of }: Run): boolean {
  if (action.does.kind === "decide") return true;
  return ask?.by === "person" && of.includes(participantOf(conversation, action.user).id);
}

/** Not after it was over: a word that came when its job was done, or a run that began when a /stop was. */
function inTime(evidence: Evidence, { id, asking, resumed }: Life): Violation[] {
  const [first] = resumed;
  const post = evidence.posts.find(({ action }) => first?.tokens.includes(action.id));
  if (first === undefined || post === undefined) return [];
  const expiredAt = Math.min(...jobsOf(evidence, id).map(({ doneAt = Infinity }) => doneAt));
  const shownAt = shown(evidence, asking);
  const stop = stopsOf(evidence, asking).find(
    ({ at, ...of }) => shownAt < at && handledAt(evidence, { at, ...of }) < first.startedAt,
  );
  return [
    ...((post.arrivedAt ?? Infinity) > expiredAt ? [{ rule: "I8", text: `${id} went on after it had expired` }] : []),
    ...(stop === undefined ? [] : [{ rule: "I8", text: `${id} went on after ${stop.action.id} had ended it` }]),
  ];
}

/** Who waited in vain is told so, and nobody else. */
function told(evidence: Evidence, lives: readonly Life[]): Violation[] {
  const { received, letters } = evidence;
  return [...Map.groupBy(lives, ({ asking }) => nameOf(evidence, asking))].flatMap(([name, own]) => {
    const inVain = own.filter(({ resumed }) => resumed.length === 0);
    const asked = inVain.filter(({ attempts }) => attempts.some((run) => shown(evidence, run) < Infinity));
    const said = received.filter(
      ({ conversation, text }) => conversation === name && text.startsWith("Nobody decided"),
    );
    const times = new Set(said.map(({ key }) => key)).size;
    if (times > inVain.length) return [{ rule: "I2", text: `${name} is told ${times} times that nobody decided` }];
    if (times >= asked.length || letters.length > 0 || mayEnd(evidence) || own.length > mostOpen) return [];
    return [{ rule: "I1", text: `${name} is told ${times} times that nobody decided, not ${asked.length} times` }];
  });
}

/** Something that people did may have ended what waited. */
function mayEnd({ posts }: Evidence): boolean {
  const ends = ["stop", "reset", "link", "unlink"];
  return posts.some(
    ({ action: { does } }) => does.kind === "operate" || (does.kind === "command" && ends.includes(does.name)),
  );
}

function jobsOf({ jobs }: Evidence, id: string) {
  return jobs.filter(({ name }) => name === `approval:${id}`);
}

function shown({ received }: Evidence, { name }: Run): number {
  return received.find(({ text }) => text.includes(`|${name}|`))?.at ?? Infinity;
}

function stopsOf({ posts }: Evidence, { input }: Run): Post[] {
  return posts.filter(
    ({ action: { does }, conversation }) =>
      does.kind === "command" &&
      (does.name === "stop" || does.name === "reset") &&
      addressOf(conversation).conversation === input.to.conversation,
  );
}

function handledAt({ journeys }: Evidence, post: Post): number {
  const id = postId(post);
  const own = journeys.filter((journey) => journey.topic === "inbound" && journey.id === id);
  return Math.min(...own.map(({ firstHandled = Infinity }) => firstHandled));
}

function isWord({ action: { does }, words }: Post): boolean {
  return does.kind === "decide" || (does.kind === "press" && !isTyped(words));
}

/** A word is never told to the agent as something that a person said. */
function deaf({ runs }: Evidence, { action }: Post): Violation[] {
  const told = runs.filter(({ tokens, input }) => tokens.includes(action.id) && input.resume === undefined);
  return told.map(({ name }) => ({ rule: "I8", text: `${name} was told ${action.id} as if it were no word` }));
}

/** What is set aside had a reason: another word, a command that ends what waits, or that it came too late. */
function passedOver(evidence: Evidence, lives: readonly Life[], word: Post): Violation[] {
  const id = postId(word);
  const rules = new Set(evidence.journal.filter((entry) => entry.id === id).map(({ rule }) => rule));
  const life = lives.find((one) => one.id === (word.words ?? "").split(":").at(-1));
  if (life === undefined) return [];
  const { asking, resumed } = life;
  if (rules.has("not theirs to decide") && mayDecide(word, asking))
    return [{ rule: "I1", text: `${word.action.id} was set aside although it is theirs to decide` }];
  if (!rules.has("already decided")) return [];
  const other = resumed.some(({ messages }) => !messages.includes(id));
  const asked = lives.filter((one) => one.asking.input.to.conversation === asking.input.to.conversation);
  const firedAt = Math.min(...jobsOf(evidence, life.id).map(({ startedAt }) => startedAt));
  if (mayEnd(evidence) || other || asked.length > mostOpen || firedAt <= handledAt(evidence, word)) return [];
  return [{ rule: "I1", text: `${word.action.id} was set aside although ${life.id} was still to be decided` }];
}

/** Older ones of a conversation are given up. */
const mostOpen = 8;
