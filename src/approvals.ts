/**
 * Approvals beside the agent that waits for them: operators see what is open and decide, who subscribed is told, and a job ends
 * what nobody decided. What counts is the agent's own state: a word that comes too late finds nothing open there.
 */
import { z } from "zod";
import type { CallAgent } from "./agent-calls.ts";
import { approvalDecided, approvalWanted, type Announce } from "./announce.ts";
import { ConflictError, InfrastructureError, InputError } from "./errors.ts";
import { encodePart, messageId, type AccountRef, type AgentId, type TurnId } from "./ids.ts";
import type { WayIn } from "./inbound.ts";
import { address, participant } from "./message.ts";
import type { Clock, Jobs, Records } from "./ports.ts";

const verdict = z.object({ approved: z.boolean(), by: z.string(), note: z.string().optional() });
/** `by`: the operator's name. `note`: for the agent, as data. */
export type Verdict = Readonly<z.infer<typeof verdict>>;

const wanted = z.object({
  id: z.string(),
  agent: z.string().transform((id) => id as AgentId),
  to: address,
  participant,
  by: z.enum(["person", "operator"]),
  calls: z.array(z.object({ tool: z.string(), args: z.string() })),
  at: z.number(),
  until: z.number(),
  verdict: verdict.optional(),
});
export type Wanted = Readonly<z.infer<typeof wanted>>;
const row = z.object({ v: z.literal(1), open: z.array(wanted) });

/** Open ones of one account that operators are shown; of more, the oldest are decided by the person, or expire. */
const mostOpen = 200;
const mostTries = 20;
const longestNote = 2_000;
const jobPrefix = "approval:";

export interface Approvals {
  /** Before the agent waits for it; the same again changes nothing. */
  want(of: Omit<Wanted, "verdict" | "at">, turn: TurnId): Promise<void>;
  /** The agent knows the word, or that none came. */
  close(of: Pick<Wanted, "id" | "to">, outcome: { readonly approved: boolean; readonly by: string }): Promise<void>;
  /** What nobody has decided yet, the oldest first. */
  list(accounts: readonly AccountRef[]): Promise<readonly Wanted[]>;
  /**
   * Durable when it resolves; the agent goes on with it in its conversation's order.
   * @throws InputError 404 where nothing of that id is open in these accounts, 409 where somebody else has decided.
   */
  decide(id: string, of: Verdict, accounts: readonly AccountRef[]): Promise<Wanted>;
  /** @returns false for a job that is not one of these. */
  run(job: string, data: unknown): Promise<boolean>;
}

export interface ApprovalOptions {
  readonly records: Records;
  readonly jobs: Jobs;
  readonly inbound: Pick<WayIn, "tell">;
  readonly call: CallAgent;
  readonly clock: Clock;
  readonly announce?: Announce | undefined;
}

const job = z.object({
  id: z.string(),
  agent: z.string().transform((id) => id as AgentId),
  to: address,
  turn: z.custom<TurnId>((id) => typeof id === "string").optional(),
});

export function createApprovals(options: ApprovalOptions): Approvals {
  const { records, jobs, inbound, call, clock, announce } = options;
  const keyOf = (of: AccountRef) => `approvals:${[of.tenant, of.channel, of.account].map(encodePart).join(":")}`;

  /** @param next undefined: nothing is to be written. */
  async function change<Result>(
    of: AccountRef,
    next: (open: readonly Wanted[]) => { readonly open?: readonly Wanted[]; readonly result: Result },
  ): Promise<Result> {
    for (let tries = 1; ; tries++) {
      const stored = await records.get(keyOf(of));
      const known = stored === undefined ? [] : row.parse(stored.value).open;
      const { open, result } = next(known.filter(({ until }) => until > clock.now()));
      if (open === undefined) return result;
      try {
        await records.put(keyOf(of), { v: 1, open }, { etag: stored?.etag ?? null });
        return result;
      } catch (error) {
        if (!(error instanceof ConflictError) || tries === mostTries) throw error;
      }
    }
  }

  async function close(
    { id, to }: Pick<Wanted, "id" | "to">,
    outcome: { readonly approved: boolean; readonly by: string },
  ): Promise<void> {
    await announce?.([approvalDecided(id, to, outcome, clock.now())]);
    await change(to, (open) => ({ open: open.filter((one) => one.id !== id), result: undefined }));
    await jobs.cancel(`${jobPrefix}${id}`);
  }

  return {
    async want(of, turn) {
      const { id: ask, agent, to, until } = of;
      await jobs.schedule(`${jobPrefix}${ask}`, { dueAt: until }, { id: ask, agent, to, turn });
      const at = clock.now();
      await change(of.to, (open) => {
        if (open.some(({ id }) => id === of.id)) return { result: undefined };
        return { open: [...open, { ...of, at }].slice(-mostOpen), result: undefined };
      });
      await announce?.([approvalWanted(of, at)]);
    },
    close,
    async list(accounts) {
      const all = await Promise.all(accounts.map((of) => change(of, (open) => ({ result: open }))));
      return all
        .flat()
        .filter((one) => one.verdict === undefined)
        .toSorted((a, b) => a.at - b.at);
    },
    async decide(id, given, accounts) {
      const note = given.note?.trim().slice(0, longestNote);
      const said: Verdict = { approved: given.approved, by: given.by, ...(note && { note }) };
      for (const of of accounts) {
        const found = await change(of, (open) => {
          const one = open.find((each) => each.id === id);
          if (one === undefined || one.verdict !== undefined) return { result: one };
          const claimed = { ...one, verdict: said };
          return { open: open.map((each) => (each === one ? claimed : each)), result: claimed };
        });
        if (found === undefined) continue;
        if (found.verdict?.by !== said.by || found.verdict.approved !== said.approved)
          throw new InputError(`${found.verdict?.by ?? "somebody"} has decided it already`, { status: 409 });
        await tell(found, found.verdict);
        return found;
      }
      throw new InputError(`nothing with the id "${id}" waits for a decision`, { status: 404 });
    },
    async run(name, data) {
      if (!name.startsWith(jobPrefix)) return false;
      const { id, agent, to, turn } = job.parse(data);
      const of = { conversation: to.conversation, ask: id, ...(turn === undefined ? {} : { turn }) };
      const reply = await call(agent, "expire", of);
      if (reply === "busy" || reply === "unwatched")
        throw new InfrastructureError("whether anybody has decided is not known yet");
      // Also where it is not open any more: what was told of it is not told again.
      await close({ id, to }, { approved: false, by: "nobody" });
      return true;
    },
  };

  /** A press of the operator's, in its place among the person's messages. */
  function tell({ id, to, participant: person }: Wanted, { approved, by, note }: Verdict): Promise<void> {
    const press = { kind: "press", button: `${approved ? "approve" : "deny"}:${id}`, label: by } as const;
    const words = note === undefined ? [] : [{ kind: "text", text: note, format: "plain" } as const];
    return inbound.tell({
      v: 1,
      id: messageId(to, "requested", to.conversation, `approval ${id}`),
      address: to,
      participant: person,
      receivedAt: clock.now(),
      kind: "message",
      message: { parts: [press, ...words], addressed: true },
      note: { topic: "approval" },
    });
  }
}
