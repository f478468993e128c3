/** People write on WhatsApp while the gateway is killed again and again: nothing lost, nothing twice, in order. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Person } from "../fakes/whatsapp/types.ts";
import { eventually } from "./stage.ts";
import { openWhatsAppStage, said, wrongWith } from "./whatsapp-stage.ts";

const kills = Number(process.env["KILLS"] ?? 6);

test("through kills every message is answered once and in order", { timeout: 120_000 }, async () => {
  const stage = await openWhatsAppStage({ config: { agents: { assistant: { context: { historyItems: 1_000 } } } } });
  const { platform, gateway, model } = stage;
  await model.pace({ latencyMs: 60 });
  const people = Array.from({ length: 8 }, (_, n): Person => {
    const phone = `1650555${1000 + n}`;
    return { phone, name: `P${n}`, ...(n % 2 === 0 ? {} : { userId: `US.77${n}`, hidden: true }) };
  });
  let talking = true;
  const talks = people.map(async (person, at) => {
    for (let n = 1; talking; n += 1) {
      platform.says(person, `hello m-p${at}-${n}`);
      if (n % 3 === 0)
        platform.saysAtOnce(
          [
            [person, `more m-p${at}-${(n += 1)}`],
            [person, `and m-p${at}-${(n += 1)}`],
          ],
          [1, 0],
        );
      await sleep(200 + 40 * at);
    }
  });
  for (let kill = 0; kill < kills; kill += 1) {
    await sleep(300 + 130 * kill);
    await gateway.kill();
    await sleep(100 * (kill % 3));
    await gateway.start();
  }
  await sleep(500);
  talking = false;
  await Promise.all(talks);
  await eventually(
    "everything is answered",
    () => {
      const answers = people.map(({ phone }) => said(stage, phone).join("\n"));
      return platform.inbound.every(({ text, chat }) => {
        const token = /m-\w+-\d+/.exec(text ?? "")?.[0] ?? "";
        const own = answers[people.findIndex(({ phone }) => phone === chat)] ?? "";
        return new RegExp(`${token}\\b`).test(own);
      });
    },
    60_000,
  );
  await sleep(500);
  expect(wrongWith(stage)).toEqual([]);
  expect(gateway.kills).toHaveLength(kills);
  console.log(`${platform.inbound.length} messages, ${kills} kills`);
});
