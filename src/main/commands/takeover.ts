import { randomUUID } from "node:crypto";
import { userInfo } from "node:os";
import { text as readAll } from "node:stream/consumers";
import type { ShownTakeover, WatchedTakeover } from "../../takeover-operations.ts";
import { loadRunningConfig } from "../config.ts";
import { withOperations } from "./operations.ts";
import { printable } from "./printable.ts";

interface As {
  readonly as?: string;
}
export interface TakeOptions extends As {
  readonly group?: true;
  readonly thread?: string;
  readonly force?: true;
}
export interface SayOptions extends As {
  readonly id?: string;
}
export interface ReleaseOptions extends As {
  readonly note?: string;
  readonly force?: true;
}

export async function list({ json }: { json?: true }): Promise<void> {
  const all = await withOperations(await loadRunningConfig(), (operations) => operations.takeovers());
  if (json) print(JSON.stringify(all, null, 2));
  else print(all.length === 0 ? "Nobody asks for a person, and nobody has a conversation." : all.map(line).join("\n"));
}

export async function show(conversation: string, { json }: { json?: true }): Promise<void> {
  const seen = await withOperations(await loadRunningConfig(), (operations) => operations.watchTakeover(conversation));
  print(json ? JSON.stringify(seen, null, 2) : talk(seen));
}

export async function take(conversation: string, { group, thread, force, as = whoami() }: TakeOptions): Promise<void> {
  const kind = group ? "group" : "direct";
  const order = { conversation, kind, thread, force: force === true, as } as const;
  const taken = await withOperations(await loadRunningConfig(), (operations) => operations.take(order));
  print(`${printable(as)} has it, and the agent is silent there. Its id: ${taken.conversation}`);
}

export async function say(
  conversation: string,
  given: string | undefined,
  { id = randomUUID(), as = whoami() }: SayOptions,
): Promise<void> {
  const text = given ?? (await readAll(process.stdin));
  const config = await loadRunningConfig();
  await withOperations(config, (operations) => operations.sayThere({ conversation, id, text, as }));
  print(`Accepted as ${printable(id)}. What the platform does not take is shown by \`ascent deadletters list\`.`);
}

export async function release(conversation: string, { note, force, as = whoami() }: ReleaseOptions): Promise<void> {
  const order = { conversation, as, force: force === true, note };
  await withOperations(await loadRunningConfig(), (operations) => operations.release(order));
  print("The agent has it again.");
}

function whoami(): string {
  return userInfo().username;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function line({ conversation, channel, account, user, name, by, at, until, reason }: ShownTakeover): string {
  const who = `${channel}/${account}/${printable(user)}${name === undefined ? "" : `  (calls itself ${printable(name)})`}`;
  const state = by === undefined ? "asks for a person" : `${printable(by)} has it`;
  const end = until === undefined ? "" : `, until ${new Date(until).toISOString()}`;
  const why = reason === undefined || reason === "" ? "" : `\n  ${lines(reason)}`;
  return `${conversation}\n  ${who}\n  ${state} since ${new Date(at).toISOString()}${end}${why}`;
}

function talk({ held, items }: WatchedTakeover): string {
  const by =
    held === undefined ? "the agent has it" : held.by === undefined ? "a person is asked for" : `${held.by} has it`;
  const said = items.map(({ role, name, text, at }) => {
    const who = name === undefined ? role : `${role} ${name}`;
    return `${new Date(at).toISOString()}  ${printable(who)}: ${lines(text)}`;
  });
  return [...said, `(${printable(by)})`].join("\n");
}

/** Further ones stand below the first, so that none looks like the next message. */
const lines = (text: string): string => text.split("\n").map(printable).join("\n  ");
