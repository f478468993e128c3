/** How a delegation begins, and how something is said in one: written down first, then waited for. */
import type { DelegationParts } from "./delegation-parts.ts";
import type { Follow } from "./delegation-follow.ts";
import type { Delegation } from "./delegation-record.ts";
import { clip, ownerOf, quoted } from "./delegation-words.ts";
import { isEnded } from "./delegation-work.ts";
import { InputError } from "./errors.ts";
import { digestOf } from "./ids.ts";
import { takesType, type Peer, type PeerCard } from "./peers.ts";
import type { TaskCaller, TaskPart } from "./skilled.ts";
import { blobsOf } from "./tenant-blobs.ts";
import type { CallFile, ToolResult } from "./tools.ts";

/** Who asks, by which call. */
export interface Asking {
  /** The tool call's key. */
  readonly call: string;
  /** Of this try to make it. */
  readonly claim: string;
  readonly turn: string;
  readonly by: Delegation["by"];
  readonly caller: TaskCaller;
  /** The agents that it came through, the asking one last. */
  readonly chain: readonly string[];
  readonly mostMs: number | undefined;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
  readonly isStopped: () => boolean;
}
export interface Said {
  readonly text: string;
  readonly files: readonly CallFile[];
}

const mostFiles = 5;
const filesBytes = 6 * 1024 * 1024;
const longestAsked = 160;
/** Of what was said in one task. */
export const mostSaid = 200;

export async function beginTask(
  parts: DelegationParts,
  follow: Follow,
  asking: Asking,
  name: string,
  said: Said,
): Promise<ToolResult> {
  const { store, peers } = parts;
  const { call, claim, turn } = asking;
  const known = await store.find(call);
  const peer = await peers.of(name);
  const card = await peer?.card();
  let left: readonly string[] = [];
  if (known === undefined) {
    if (peer === undefined || card === undefined)
      throw new InputError(`the agent ${quoted(name)} cannot be reached at the moment: nothing was asked of it`);
    const until = follow.until(asking.mostMs);
    left = await opened(parts, asking, { peer, card }, said, { until, telling: { call, turn, until, claim } });
  } else await renew(parts, follow, asking, known);
  return withLeft(await waitFor(follow, asking, call, name), left);
}

/**
 * Writes it down: what the peer does not have yet is sent by the next step.
 * @param options.until its job comes then at the latest. @returns what does not go along.
 */
export async function opened(
  parts: DelegationParts,
  asking: Omit<Asking, "claim" | "progress" | "isStopped" | "mostMs">,
  { peer, card }: { readonly peer: Peer; readonly card: PeerCard },
  said: Said,
  { until, telling }: { readonly until: number; readonly telling: Delegation["telling"] },
): Promise<readonly string[]> {
  const { store, clock } = parts;
  const { call, by, caller, chain, turn } = asking;
  const { name } = peer;
  if (peer.local && chain.includes(parts.chainName(name)))
    throw new InputError(
      `the agent ${quoted(name)} is among those that ask: agents are delegating in a circle, which ends here`,
    );
  const taken = await partsOf(parts, said, peer, card, asking);
  // Before anything else: what it finds nothing of it forgets.
  await parts.arm({ id: call, by }, until);
  const own = await store.enlist(by.list, { id: call, agentName: by.agentName, turn, caller }, name);
  const at = clock.now();
  await store.create({
    v: 1,
    id: call,
    name: own,
    peer: name,
    by,
    caller,
    context: digestOf(`${caller.tenant} ${caller.id} ${by.list} ${name}`),
    chain: [...chain],
    asked: clip(said.text.replace(/\s+/g, " "), longestAsked),
    outgoing: { id: call, parts: [...taken.parts] },
    said: [digestOf(call)],
    state: "submitted",
    telling,
    artifacts: { told: {}, seen: {} },
    notes: { since: 0, n: 0 },
    at,
    ...(peer.timeoutMs === undefined ? {} : { deadline: at + peer.timeoutMs }),
    looks: 0,
    pushed: peer.local || card.pushes,
  });
  return taken.left;
}

/** A call that is made again waits anew, where notes do not tell yet. */
async function renew(
  { store, arm }: DelegationParts,
  follow: Follow,
  asking: Asking,
  known: Delegation,
): Promise<void> {
  const until = follow.until(asking.mostMs);
  const written = await store.change(known.id, (now) => {
    const { telling, end } = now;
    const waits = telling !== "note" && telling.call === asking.call && end === undefined;
    return waits ? { ...now, telling: { ...telling, until, claim: asking.claim } } : undefined;
  });
  if (written?.end === undefined && written?.telling !== "note") await arm(known, until);
}

export async function replyTo(
  parts: DelegationParts,
  follow: Follow,
  asking: Asking,
  row: Delegation,
  said: Said,
): Promise<ToolResult> {
  const { store, peers, clock } = parts;
  const { call, claim, turn } = asking;
  const peer = await peers.of(row.peer);
  const mark = digestOf(call);
  let left: readonly string[] = [];
  if (row.said.includes(mark)) await renew(parts, follow, asking, row);
  else {
    const card = await peer?.card();
    if (peer === undefined || card === undefined)
      throw new InputError(`the agent ${quoted(row.peer)} cannot be reached at the moment: it was told nothing`);
    const standing = await parts.advance(row.id);
    if (standing?.row.end !== undefined || (standing?.task !== undefined && isEnded(standing.task)))
      return {
        text: `Task ${quoted(row.name)} has come to its end already: ${standing.row.end?.told.text ?? "its result follows"}`,
      };
    const taken = await partsOf(parts, said, peer, card, asking);
    left = taken.left;
    const until = follow.until(asking.mostMs);
    await store.resume(row.by.list, { id: row.id, caller: asking.caller }, turn);
    const written = await store.change(row.id, ({ deadline: _deadline, failing: _failing, ...now }) => {
      if (now.end !== undefined || now.said.includes(mark)) return undefined;
      if (now.outgoing !== undefined)
        throw new InputError("what was said before has not reached the agent yet: say this when it has");
      return {
        ...now,
        outgoing: { id: call, parts: [...taken.parts] },
        said: [...now.said, mark].slice(-mostSaid),
        telling: { call, turn, until, claim },
        ...(peer.timeoutMs === undefined ? {} : { deadline: clock.now() + peer.timeoutMs }),
        looks: 0,
      };
    });
    if (written !== undefined) await parts.arm(written, until);
  }
  return withLeft(await waitFor(follow, asking, row.id, row.peer), left);
}

function waitFor(
  follow: Follow,
  { call, claim, turn, mostMs, signal, progress, isStopped }: Asking,
  id: string,
  peer: string,
) {
  return follow.wait({
    id,
    call,
    claim,
    turn,
    mostMs,
    signal,
    isStopped,
    progress: (text) => progress(`${peer}: ${text}`),
  });
}

/** Bytes are kept before anything is sent, so that the same goes out whenever it does. */
async function partsOf(
  { runtime }: DelegationParts,
  { text, files }: Said,
  peer: Peer,
  card: PeerCard,
  { call, caller, signal }: Pick<Asking, "call" | "caller" | "signal">,
): Promise<{ readonly parts: readonly TaskPart[]; readonly left: readonly string[] }> {
  const parts: TaskPart[] = [{ kind: "text", text }];
  const left: string[] = [];
  const blobs = blobsOf(runtime.blobs, caller.tenant, ownerOf(call));
  let room = filesBytes;
  for (const [at, { part, open }] of files.entries()) {
    signal.throwIfAborted();
    const shown = quoted(part.name ?? part.kind, 120);
    if (at >= mostFiles) left.push(`${shown}: at most ${mostFiles} files go along`);
    else if (!takesType(card.inputModes, part.type))
      left.push(
        `${shown} (${part.type}): the agent ${quoted(peer.name)} takes ${card.inputModes.slice(0, 10).join(", ")}`,
      );
    else {
      try {
        const { body } = await open();
        const named = { type: part.type, ...(part.name === undefined ? {} : { name: part.name }) };
        const { id, size } = await blobs.put(body, { ...named, maxBytes: room });
        room -= size;
        parts.push({ kind: "file", blob: id, size, ...named });
      } catch (error) {
        const why =
          error instanceof InputError ? `files have ${filesBytes} bytes at most together` : "it could not be read";
        left.push(`${shown}: ${why}`);
      }
    }
  }
  return { parts, left };
}

function withLeft(result: ToolResult, left: readonly string[]): ToolResult {
  if (left.length === 0) return result;
  return { ...result, text: [result.text, ...left.map((one) => `Not sent along: ${one}.`)].join("\n") };
}
