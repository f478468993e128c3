/**
 * I4: if m1 was acknowledged before m2 arrived, m1 is not answered after m2.
 *
 * On an ordered bus without exception. On an unordered one where the core could know of m1 when it answered m2, by
 * design.md's rule: its agent had m1 before m2 came; or both came in by the same process, whose envelopes name what came within
 * 15 seconds, or else the message before, with all that came in between (a copy by another process names no predecessor, and may
 * be there first), and m1 reached the agent within the 15 seconds that a turn waits once something newer than m1 is there.
 * What a process began to send long ago, before it stood still or gave up, is no witness against the order.
 */
import { postId } from "../events.ts";
import type { Post } from "../platform.ts";
import { stoodStill } from "./flight.ts";
import {
  hasItsPlace,
  isNote,
  isOperators,
  isWords,
  owed,
  type Evidence,
  type Reply,
  type Violation,
} from "./evidence.ts";

const gapMs = 15_000;
/** The wait is measured in the actor, a little after an event was handed to the subscriber. */
const slackMs = 200;

export function checkOrder(evidence: Evidence, replies: readonly Reply[]): Violation[] {
  const placed = owed(evidence.posts).filter((post) => hasItsPlace(post, evidence));
  const conversations = Map.groupBy(placed, ({ conversation }) => conversation.name);
  return [...conversations.values()].flatMap((posts) =>
    pairsOf(posts).flatMap((pair) => disorder(evidence, replies, pair)),
  );
}

/** Where the channel's order is not that of arrival, only those that were also written in this order. */
function pairsOf(posts: readonly Post[]): [Post, Post][] {
  return posts.flatMap((first) =>
    posts
      .filter(({ arrivedAt = 0 }) => (first.acknowledgedAt ?? Infinity) < arrivedAt)
      // Words wait for no turn.
      .filter((second) => isWords(first) === isWords(second) && isOperators(first) === isOperators(second))
      // A note waits for an operator to let go.
      .filter(() => !(isNote(first) && first.conversation.actions.some(({ does }) => does.kind === "operate")))
      .filter(({ channel, sequence }) => channel.order === "arrival" || first.sequence < sequence)
      .map((second): [Post, Post] => [first, second]),
  );
}

function disorder(evidence: Evidence, replies: readonly Reply[], [first, second]: [Post, Post]): Violation[] {
  const one = replies.find(({ tokens }) => tokens.includes(first.action.id));
  const other = replies.find(({ tokens }) => tokens.includes(second.action.id));
  if (one === undefined || other === undefined || one === other) return [];
  const begins = Math.min(...timesOf(evidence, other));
  const ends = Math.max(...timesOf(evidence, one));
  if (ends <= begins || !knowable(evidence, first, second)) return [];
  return [
    {
      rule: "I4",
      text: `${first.action.id} was taken before ${second.action.id} came, but ${one.name} is not before ${other.name}`,
    },
  ];
}

const timesOf = (evidence: Evidence, { parts }: Reply) =>
  parts.flatMap(({ sends }) => {
    const own = sends.filter((send) => send.tooLate !== true && !stoodStill(evidence, send)).map(({ at }) => at);
    return own.length === 0 ? [] : [Math.min(...own)];
  });

function knowable(evidence: Evidence, first: Post, second: Post): boolean {
  if (evidence.plan.flavour === "embedded") return true;
  const one = wayOf(evidence, first);
  const other = wayOf(evidence, second);
  if (one.handled < arrival(second)) return true;
  const newer = evidence.posts.filter(
    (post) => post.conversation === first.conversation && post !== first && arrival(post) >= arrival(first),
  );
  const between = newer.filter((post) => arrival(post) <= arrival(second)).map((post) => wayOf(evidence, post));
  const chain = arrival(second) - arrival(first) < gapMs ? [] : between;
  const together = new Set([one, other, ...chain].flatMap(({ publishers }) => [...publishers])).size === 1;
  const waitsFrom = Math.min(...newer.map((post) => wayOf(evidence, post).handed));
  return together && one.handled < waitsFrom + gapMs - slackMs;
}

const arrival = ({ arrivedAt = Infinity }: Post) => arrivedAt;

/** How a message came to its agent: when first handed over, when first there, and through which processes. */
function wayOf({ journeys }: Evidence, post: Post) {
  const id = postId(post);
  const own = journeys.filter((journey) => journey.topic === "inbound" && journey.id === id);
  return {
    handed: Math.min(...own.map(({ firstHanded = Infinity }) => firstHanded)),
    handled: Math.min(...own.map(({ firstHandled = Infinity }) => firstHandled)),
    publishers: new Set(own.map(({ publisher }) => publisher)),
  };
}
