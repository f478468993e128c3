/**
 * Conversations that were active and went idle leave nothing in memory and little on disk. The real core on the real
 * embedded runtime in a process of its own ("../idle-process.ts"), with a stub for the channel and the agent.
 */
import { z } from "zod";
import { gatewayFlags } from "../contenders.ts";
import { shown } from "../figures.ts";
import type { Scenario } from "../scenario.ts";
import { within } from "../session.ts";

const moment = z.object({ heapMb: z.number(), residentMb: z.number() });
const result = z.object({
  cold: moment,
  began: moment,
  peak: moment,
  ended: moment,
  diskBytes: z.number(),
  serializedBytes: z.number(),
  freeShare: z.number(),
  turns: z.number(),
  seconds: z.number(),
});

export const idleConversations: Scenario = {
  name: "idle conversations",
  limit: { quick: 200, full: 900 },
  async run({ session, handicap, full, say }) {
    const count = full ? 100_000 : 10_000;
    const folder = session.folder();
    say(`${count} conversations, three turns each, then idle …`);
    const leak = String(handicap.leak ?? 0);
    const args = [...gatewayFlags(), "tests/bench/idle-process.ts", folder, String(count), leak];
    const process = session.launch({ name: "the idle conversations", args, ends: true });
    const output = await within(890_000, "the idle conversations", process.finished);
    const { cold, began, peak, ended, diskBytes, serializedBytes, freeShare, turns, seconds } = result.parse(
      JSON.parse(output),
    );
    const shape = `${count} conversations, ${shown(turns / seconds)} turns/s in process`;
    return [
      {
        name: "idle conversations: heap against the beginning",
        measured: (ended.heapMb / began.heapMb - 1) * 100,
        unit: "%",
        bound: { most: 5 },
        detail: `${shown(began.heapMb)} to ${shown(ended.heapMb)} MB after collection (${shown(peak.heapMb)} when active), ${shape}`,
      },
      {
        name: "idle conversations: memory against the beginning",
        measured: ended.residentMb - began.residentMb,
        unit: "MB",
        bound: { most: 30 },
        detail: `RSS ${shown(began.residentMb)} to ${shown(ended.residentMb)} MB (${shown(peak.residentMb)} when active, ${shown(cold.residentMb)} at the very start)`,
      },
      {
        name: "idle conversations: disk / serialized state",
        measured: diskBytes / serializedBytes,
        unit: "x",
        bound: { most: 1.5 },
        detail: `${shown(diskBytes / count)} bytes on disk, ${shown(serializedBytes / count)} of JSON per conversation, ${Math.round(freeShare * 100)}% of the file is free for what comes next`,
      },
    ];
  },
};
