/**
 * Makes ours worse on purpose, to prove that a figure can fail: `--handicap message=2,history=400`.
 * Every number of the bench has one that breaks it, named in README.md.
 */
export interface Handicap {
  /** Milliseconds of processor time burnt for every Telegram update that comes in. */
  readonly message?: number;
  /** Megabytes held from the start. */
  readonly memory?: number;
  /** Milliseconds of processor time burnt before the gateway starts. */
  readonly start?: number;
  /** Items of history handed to a turn, instead of 20, in a prompt without a bound. */
  readonly history?: number;
  /** Bytes that every idle conversation leaves in memory, and on disk. */
  readonly leak?: number;
}

const names = ["message", "memory", "start", "history", "leak"] as const;

/** @throws for a name that is none of {@link Handicap}'s. */
export function parseHandicap(text: string): Handicap {
  return Object.fromEntries(
    text.split(",").map((pair) => {
      const [name = "", value] = pair.split("=");
      if (!names.some((known) => known === name) || !(Number(value) > 0)) {
        throw new Error(`--handicap takes ${names.join("=n, ")}=n: "${pair}" is none of them`);
      }
      return [name, Number(value)];
    }),
  );
}

export function handicapArgs({ message, memory, start }: Handicap): string[] {
  if (message === undefined && memory === undefined && start === undefined) return [];
  const query = new URLSearchParams({ message: `${message ?? 0}`, memory: `${memory ?? 0}`, start: `${start ?? 0}` });
  return ["--import", `${new URL("burden.ts", import.meta.url).href}?${query.toString()}`];
}

export function handicapSettings({ history }: Handicap): object {
  return history === undefined ? {} : { context: { historyItems: history, tokens: 1_000_000 } };
}
