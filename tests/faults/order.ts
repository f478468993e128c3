/**
 * I4 where a death lies in between. A message that a dead process had in hand is handed out again after seconds, with Redis after
 * more than a minute; the next one waits two seconds for it, and no longer. What waited so long, or came in through
 * another process than the one that died, may be answered before it. This tells these pairs from all others.
 */
import { tokensIn } from "../fakes/tokens.ts";
import { inboundOf, outboundOf, type Judged } from "../integration/stage.ts";

/** A process that is killed may have taken the message so long before. */
const inHandMs = 2_000;

/** Whether something died between the earlier message of an I4 line and the answer of the later one. */
export function deathBetween(world: Judged, line: string): boolean {
  const [earlier, later] = tokensIn(line);
  const taken = inboundOf(world).find(({ token }) => token === earlier)?.acknowledgedAt;
  const answered = outboundOf(world).find(({ text }) => later !== undefined && tokensIn(text).includes(later))?.at;
  if (!line.startsWith("I4 ") || taken === undefined || answered === undefined) return false;
  return world.gateway.kills.some((at) => at > taken - inHandMs && at < answered);
}
