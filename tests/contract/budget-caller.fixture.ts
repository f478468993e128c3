/** A process with 25 turns of one person that call until the budget ends. It says what each call uses when it makes it, and may be killed. */
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createRecords } from "../../adapters/dapr/records.ts";
import { connectSidecar } from "../../adapters/dapr/sidecar.ts";
import { createBudgets } from "../../src/budget-meter.ts";
import { BudgetError } from "../../src/budgets.ts";
import { clock, quietLog } from "../integration/embedded-fixture.ts";

const [url = "", token = "", person = "", limit = ""] = process.argv.slice(2);
const prices = { models: {}, tools: {} };
const scopes = { person: { day: { tokens: Number(limit) } } };
const settings = { timeZone: "UTC", currency: "USD", outputTokens: 50, keptDays: 62, scopes, prices };
const records = createRecords(connectSidecar({ url, token }), clock);
const budgets = createBudgets({ records, clock, log: quietLog, settings, shared: true });

async function turn(): Promise<void> {
  for (;;) {
    try {
      const charge = await budgets.reserve({ tenant: "t", person }, { model: "m", input: 100, output: 50 });
      const output = Math.floor(Math.random() * 50);
      writeSync(1, `${100 + output}\n`);
      await sleep(150 + Math.random() * 150);
      charge.settle({ input: 100, cached: 0, output });
    } catch (error) {
      if (error instanceof BudgetError) return;
      throw error;
    }
  }
}

// The clock's timers keep no process alive.
const awake = setInterval(() => {}, 1_000);
await Promise.all(Array.from({ length: 25 }, turn));
await budgets.drain(20_000);
writeSync(1, "ended\n");
clearInterval(awake);
