/** The analyst on the real gateway, asked by A2A: files there and back, and a kill while a program runs. */
import { TaskState, type Part, type Task } from "@a2a-js/sdk";
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { a2aClient, messageOf, requestOf, textsOf } from "../services/a2a-client.ts";
import { openStage, type StageOptions } from "./stage.ts";

const key = `a2a-canary-${randomBytes(12).toString("hex")}`;
const csv = "Stadt;Umsatz\nKöln;1.000,50\nBonn;2,5\nKöln;1\n";

async function open(config: StageOptions["config"] = {}) {
  const stage = await openStage({ config, env: { ASCENT_A2A_KEYS: key } });
  const client = () =>
    a2aClient({ url: stage.gateway.url, agent: "analyst", headers: { authorization: `Bearer ${key}` } });
  return { ...stage, client };
}

function asking(text: string) {
  const { parts } = messageOf(text);
  const content = { $case: "raw" as const, value: Buffer.from(csv) };
  const file: Part = { content, metadata: undefined, filename: "umsatz.csv", mediaType: "text/csv" };
  return requestOf(text, { parts: [...parts, file] });
}

const filesOf = (task: Task) =>
  task.artifacts.flatMap(({ parts }) =>
    parts.flatMap(({ content, filename, mediaType }) =>
      content?.$case === "raw" ? [{ filename, mediaType, bytes: Buffer.from(content.value) }] : [],
    ),
  );

test("without a model it computes, and draws a chart", { timeout: 90_000 }, async () => {
  const stage = await open({ skills: { analyst: { model: "demo" } } });
  const client = await stage.client();
  const table = (await client.sendMessage(asking("Summe von Umsatz nach Stadt"))) as Task;
  expect(table.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
  expect(textsOf(table).join()).toContain("| Köln | 1.001,5 |\n| Bonn | 2,5 |");
  const chart = (await client.sendMessage(asking("Balkendiagramm von Umsatz nach Stadt"))) as Task;
  expect(filesOf(chart)).toMatchObject([{ filename: "Summe-von-Umsatz-nach-Stadt.png", mediaType: "image/png" }]);
  expect(filesOf(chart)[0]?.bytes.subarray(1, 4).toString()).toBe("PNG");
});

test("kill -9 while a program runs: the answer comes once, from the next start", { timeout: 90_000 }, async () => {
  const stage = await open();
  let programs = 0;
  stage.model.script(({ toolOutputs, tools, turn }) => {
    if (!tools.includes("run_javascript")) return undefined;
    expect(turn.join("\n")).toContain('"rows":3');
    if (toolOutputs.length > 0) return { text: `It is ${/returned: (\S+)/.exec(toolOutputs.join())?.[1]}.` };
    const code =
      programs++ === 0 ? "for (;;);" : "return files['umsatz.csv'].rows.reduce((sum, { Umsatz }) => sum + Umsatz, 0)";
    return { toolCalls: [{ name: "run_javascript", arguments: { code } }] };
  });
  const request = asking("How much in all?");
  const client = await stage.client();
  const { configuration } = request;
  await client.sendMessage({ ...request, configuration: { ...configuration!, returnImmediately: true } });
  await expect.poll(() => programs, { timeout: 15_000 }).toBe(1);
  await stage.gateway.kill();
  await stage.gateway.start();
  const task = (await (await stage.client()).sendMessage(request)) as Task;
  expect(task.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
  expect(textsOf(task)).toEqual(["It is 1004."]);
});
