/** A place where a program that nobody has read runs: it reaches nothing but what it is given, and ends. */

export interface SandboxFile {
  readonly name: string;
  /** Media type. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

export interface SandboxProgram {
  /** Runs before the program, in the same context: functions that the program may call. */
  readonly setup?: string;
  /**
   * The body of an async function. It has `files`, by name: `{ name, rows, columns }` of a table, `{ name, value }` of JSON (and `rows`
   * and `columns`, where it is a list of objects), `{ name, text }` of text; `console`; and `emit(value)`.
   */
  readonly code: string;
  readonly files: readonly SandboxFile[];
}

export type SandboxOutcome =
  /** `value`: what it returned, as JSON; undefined where that is nothing. `emitted`: in their order, as JSON. */
  | { readonly kind: "done"; readonly value: unknown; readonly emitted: readonly unknown[]; readonly log: string }
  /** `problem`: what its author has to change, in words of the engine, which may quote the program and its data. */
  | { readonly kind: "failed"; readonly problem: string; readonly log: string };

export interface Sandbox {
  /** Of all files of a program. */
  readonly maxBytes: number;
  /** Whether it reads such files: told by their type and name. */
  reads(of: Pick<SandboxFile, "type" | "name">): boolean;
  /**
   * Bounded in time, memory and output by itself. Programs share nothing, those that find no place wait.
   * @throws InputError for files that it cannot read, which says why; InfrastructureError where no program can be started. An abort
   *   rejects with the signal's reason.
   */
  run(program: SandboxProgram, signal?: AbortSignal): Promise<SandboxOutcome>;
}
