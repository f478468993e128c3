import { randomUUID } from "node:crypto";
import { text as readAll } from "node:stream/consumers";
import { sendOrder } from "../../operations.ts";
import { loadRunningConfig } from "../config.ts";
import { withOperations } from "./operations.ts";
import { printable } from "./printable.ts";

export interface SendOptions {
  readonly to: string;
  readonly group?: true;
  readonly thread?: string;
  readonly prompt?: true;
  readonly topic?: string;
  readonly id?: string;
}

export async function send(given: string | undefined, options: SendOptions): Promise<void> {
  const { group, prompt, id = randomUUID(), ...rest } = options;
  const order = sendOrder.parse({
    ...rest,
    ...(group && { kind: "group" }),
    ...(prompt && { form: "note" }),
    text: given ?? (await readAll(process.stdin)),
    id,
  });
  const config = await loadRunningConfig();
  const { sent, waits } = await withOperations(config, async (operations, url) => ({
    sent: await operations.send(order),
    waits: config.runtime === "embedded" && url === undefined,
  }));
  process.stdout.write(
    `Accepted as ${printable(id)}, for conversation ${sent.conversation}.\n` +
      (waits ? "No gateway runs here: it goes out with the next start.\n" : "") +
      "What the platform does not take is shown by `ascent deadletters list`.\n",
  );
}
