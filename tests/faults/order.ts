/**
 * I4 where something was away in between. A message that a dead process had in hand is handed out again after seconds, with Redis after
 * more than a minute; the next one waits two seconds for it, and no longer. What waited so long, or came in through
 * another process than the one that is away, may be answered before it. This tells these pairs from all others.
 */
import { tokensIn } from "../fakes/tokens.ts";
import { inboundOf, outboundOf } from "../integration/stage.ts";
import type { World } from "./world.ts";

/** A process that dies may have taken the message so long before, and one that is back gets it so long after. */
const inHandMs = 2_500;

/** Whether something was away between the acknowledgement of an I4 line's earlier message and the later one's answer. */
export function awayBetween(world: World, line: string): boolean {
  const [earlier, later] = tokensIn(line);
  const taken = inboundOf(world).find(({ token }) => token === earlier)?.acknowledgedAt;
  const answered = outboundOf(world).find(({ text }) => later !== undefined && tokensIn(text).includes(later))?.at;
  if (!line.startsWith("I4 ") || taken === undefined || answered === undefined) return false;
  return world.outages.some(([from, until]) => from < answered && taken < until + inHandMs);
}
