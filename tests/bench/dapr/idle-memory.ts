/** Conversations on Dapr that were active once and have left the memory leave nothing there. */
import { z } from "zod";
import { gatewayFlags } from "../contenders.ts";
import { shown } from "../figures.ts";
import { residentMbOf } from "../proc.ts";
import type { Scenario } from "../scenario.ts";
import { within } from "../session.ts";
import { startStack } from "./cluster.ts";

const moment = z.object({ heapMb: z.number(), residentMb: z.number() });
const result = z.object({ cold: moment, began: moment, peak: moment, ended: moment });
/** Shorter than the gateway's minute, for the sake of the bench's time. */
const idleMs = 5_000;

export const daprIdleMemory: Scenario = {
  name: "dapr idle conversations",
  limit: { quick: 600, full: 1_200 },
  async run({ session, handicap, full, say }) {
    const count = full ? 20_000 : 5_000;
    const stack = await startStack(session);
    const { sidecar, cluster, env, processes } = stack;
    const settings = {
      count,
      leak: handicap.leak ?? 0,
      idleMs,
      sidecarUrl: sidecar.url,
      apiToken: cluster.apiToken,
      appToken: cluster.appToken,
      port: Number(env["APP_PORT"]),
    };
    say(`${count} conversations, three turns each, then idle …`);
    const sidecarBefore = residentMbOf([processes.sidecar]);
    const args = [...gatewayFlags(), "tests/bench/dapr/idle-process.ts", JSON.stringify(settings)];
    const process = session.launch({ name: "the idle conversations", args, ends: true });
    const output = await within(1_190_000, "the idle conversations", Promise.race([session.broken, process.finished]));
    const { cold, began, peak, ended } = result.parse(JSON.parse(output));
    const sidecarAfter = residentMbOf([processes.sidecar]);
    return [
      {
        name: `${count} evicted conversations: heap against the beginning`,
        measured: (ended.heapMb / began.heapMb - 1) * 100,
        unit: "%",
        bound: { most: 5 },
        detail: `${shown(began.heapMb)} to ${shown(ended.heapMb)} MB after collection (${shown(peak.heapMb)} when active)`,
      },
      {
        name: `${count} evicted conversations: memory against the beginning`,
        measured: ended.residentMb - began.residentMb,
        unit: "MB",
        bound: { most: 30 },
        detail:
          `RSS ${shown(began.residentMb)} to ${shown(ended.residentMb)} MB (${shown(peak.residentMb)} when active, ` +
          `${shown(cold.residentMb)} at the very start); the sidecar's ${shown(sidecarBefore)} to ${shown(sidecarAfter)} MB`,
      },
    ];
  },
};
