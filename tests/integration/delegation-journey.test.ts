/**
 * A person on Telegram and one on the web page give tasks to the scheduler, the researcher, the analyst and the knowledge agent,
 * through real processes that are killed on the way.
 */
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { needsDapr } from "../services/dapr.ts";
import { onDapr, onEmbedded, type Ground } from "./delegation-grounds.ts";
import { ask, handbookFor, judgeTold, personAt } from "./delegation-journey.ts";

const { missing } = await needsDapr();
let journeys = 0;

/** Waves of what dies at once, and comes back in this order. */
type Deaths = readonly (readonly string[])[];

async function journey(ground: Ground, deaths: Deaths): Promise<void> {
  const { gateway, stops, mortals, patienceMs } = ground;
  journeys += 1;
  const names = ["ann", "bob"].map((name) => `${name}${journeys}`);
  for (const name of names) await ground.learn(`handbook-${name}.md`, handbookFor({ name }));
  for (const stop of stops) await stop.open(gateway.url);
  const [ann, bob] = await Promise.all([personAt(stops[0], names[0] ?? ""), personAt(stops[1], names[1] ?? "")]);
  const kills: number[] = [];
  try {
    await ask(journeys % 2 === 0 ? [ann, bob] : [bob, ann]);
    for (const wave of deaths) {
      kills.push(performance.now());
      await Promise.all(wave.map(async (name) => mortals[name]?.die()));
      for (const { site } of [ann, bob]) site.release();
      for (const name of wave) await mortals[name]?.rise();
    }
    await judgeTold([ann, bob], kills, patienceMs);
  } finally {
    await Promise.all([ann, bob].map(({ site }) => site.close()));
  }
}

function journeysOn(open: () => Promise<Ground>, points: Readonly<Record<string, Deaths>>): void {
  let opened: Ground | undefined;
  beforeAll(async () => void (opened = await open()), 180_000);
  afterAll(() => opened?.close(), 60_000);
  const now = (): Ground => {
    if (opened === undefined) throw new Error("nothing runs");
    return opened;
  };

  test.each(Object.keys(points))(
    "kill -9 of %s",
    async (point) => {
      onTestFailed(() => console.error(now().tail()));
      await journey(now(), points[point] ?? []);
    },
    300_000,
  );

  test("nothing of it was printed", () => {
    const { processes, secrets } = now();
    for (const output of processes.map((one) => one.output())) {
      expect(output).not.toMatch(/(?:ann|bob)\d+s/);
      for (const secret of secrets) expect(output).not.toContain(secret);
    }
  });
}

describe("tasks of people on two channels come back to the right one, once", () => {
  journeysOn(onEmbedded, {
    "the gateway, and again when it is back": [["gateway"], ["gateway"]],
    "the researcher's process": [["researcher"]],
    "the analyst's process": [["analyst"]],
    "all of them at once": [["researcher", "analyst", "gateway"]],
  });
});

describe.skipIf(missing)("on Dapr", () => {
  journeysOn(onDapr, {
    "the gateway": [["gateway"]],
    "the processes of researcher and knowledge": [["researcher", "knowledge"]],
    "the gateway's sidecar": [["the gateway's sidecar"]],
    "the researcher's sidecar": [["the researcher's sidecar"]],
    "placement and Dapr's scheduler": [["placement", "Dapr's scheduler"]],
    "all but those": [["the gateway's sidecar", "the researcher's sidecar", "researcher", "knowledge", "gateway"]],
  });
});
