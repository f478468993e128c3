/** What Linux says of a process and of those it started. */
import { readdirSync, readFileSync } from "node:fs";

/** /proc counts processor time in hundredths of a second on every architecture Node runs on (USER_HZ). */
const msPerTick = 10;

interface Stat {
  readonly parent: number;
  /** User and system time, with that of ended children it has waited for. */
  readonly ticks: number;
}

/** A process and all its descendants, as they are now. */
export function treeOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const parent = statOf(pid)?.parent;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree = [root];
  for (let at = 0; at < tree.length; at += 1) tree.push(...(children.get(tree[at] ?? 0) ?? []));
  return tree;
}

/** Milliseconds of processor time that these processes and all they started have used. */
export function cpuMsOf(roots: readonly number[]): number {
  return sum(roots, (pid) => (statOf(pid)?.ticks ?? 0) * msPerTick);
}

export function residentMbOf(roots: readonly number[]): number {
  return sum(roots, (pid) => Number(/^VmRSS:\s+(\d+) kB/m.exec(read(pid, "status"))?.[1] ?? 0) / 1_024);
}

/** Bytes that these processes caused to be written to storage (`write_bytes` of /proc/<pid>/io): whole pages. */
export function writtenBytesOf(roots: readonly number[]): number {
  return sum(roots, (pid) => Number(/^write_bytes: (\d+)/m.exec(read(pid, "io"))?.[1] ?? 0));
}

function sum(roots: readonly number[], figure: (pid: number) => number): number {
  return roots.flatMap(treeOf).reduce((total, pid) => total + figure(pid), 0);
}

/** proc(5), /proc/pid/stat: ppid is field 4, utime to cstime are 14 to 17. The name in field 2 may hold anything. */
function statOf(pid: number): Stat | undefined {
  const stat = read(pid, "stat");
  if (stat === "") return undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { parent: Number(fields[1]), ticks: fields.slice(11, 15).reduce((total, field) => total + Number(field), 0) };
}

/** Empty for a process that is gone. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
