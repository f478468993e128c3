/** Agents that have others work on parts of what they were asked, on the real gateway: kill -9, a stop, and processes of their own. */
import type { Task } from "@a2a-js/sdk";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFailed, onTestFinished, test } from "vitest";
import type { Prompt, Reply } from "../fakes/openai/types.ts";
import { a2aClient, requestOf, textsOf } from "../services/a2a-client.ts";
import { openSite, type SitePage } from "../unit/library/fixture.ts";
import { delegateKey, startDelegate } from "./delegate-process.ts";
import { createGateway } from "./gateway-process.ts";
import { eventually, openStage, said, type Stage } from "./stage.ts";

const ann = 7_520_001;
const key = "a-key-of-whoever-asks-the-gateway";

const heard = (stage: Pick<Stage, "platform">, words: string, mostMs = 60_000) =>
  eventually(`"${words}"`, () => said(stage, ann).find((text) => text.includes(words)), mostMs);
const times = (stage: Pick<Stage, "platform">, words: string) =>
  said(stage, ann).filter((text) => text.includes(words)).length;
const shows = ({ body }: Prompt, words: string) => JSON.stringify(body).includes(words);
const use = (name: string, args: object): Reply => ({ toolCalls: [{ name, arguments: { ...args } }] });

describe("the researcher", () => {
  const page = (title: string, text: string, ms = 0): SitePage => ({ body: `<title>${title}</title><p>${text}`, ms });

  /** A person asks for two things, each with pages to be read in their order. */
  async function open(pages: Readonly<Record<string, SitePage>>, parts: readonly (readonly string[])[], env = {}) {
    const site = await openSite(pages);
    onTestFinished(() => site.close());
    const url = (path: string) => `${site.url}${path}`;
    const stage = await openStage({
      config: { delegation: { inlineSeconds: 60 } },
      env: { WEBHOOK_ALLOW_HOSTS: "127.0.0.1", ...env },
    });
    const seen = { divided: 0, answered: 0 };
    stage.model.script((prompt): Reply | undefined => {
      const { tools, toolOutputs, turn } = prompt;
      if (tools.includes("agent__researcher"))
        return toolOutputs.length > 0
          ? undefined
          : use("agent__researcher", { task: `compare ${parts.flat().map(url).join(" ")}` });
      if (!tools.includes("read")) return undefined;
      if (tools.includes("divide")) {
        seen.divided += 1;
        const wanted = parts.map((paths, at) => ({ question: `part ${at}`, addresses: paths.map(url) }));
        return use("divide", { parts: wanted });
      }
      if (shows(prompt, "all of them")) return { text: "all in all: tea [1], coffee [2]" };
      const paths = parts[Number(/part (\d)/.exec(turn.join())?.[1])] ?? [];
      const next = paths[toolOutputs.length];
      if (next !== undefined) return use("read", { url: url(next), part: null });
      seen.answered += 1;
      return { text: `it says something [${toolOutputs.length}]` };
    });
    return {
      ...stage,
      site,
      seen,
      says: (text: string) => stage.platform.user(ann).sends(ann, text),
    };
  }

  test("works on the parts side by side; killed meanwhile it repeats nothing that was done, and answers once", async () => {
    const pages = { "/tea": page("Tea", "Rain."), "/slow": page("Slow", "Sun.", 8_000) };
    const stage = await open(pages, [["/tea"], ["/slow"]]);
    await stage.says("compare them");
    await eventually("both", () => stage.site.paths().length === 2);
    // The first part has been answered by then.
    await eventually("its answer", () => stage.seen.answered === 1);
    await sleep(1_000);
    await stage.gateway.kill();
    await stage.gateway.start();
    const answer = await heard(stage, "all in all");
    expect(answer).toContain(`[2] Slow – ${stage.site.url}/slow`);
    expect(stage.site.paths().toSorted()).toEqual(["/slow", "/slow", "/tea"]);
    expect(stage.seen.divided).toBe(1);
    await sleep(2_000);
    expect(times(stage, "all in all")).toBe(1);
    const drafts = stage.platform.log.calls.filter(({ method }) => method === "sendmessagedraft");
    expect(drafts.map(({ params }) => String(params["text"])).join("\n")).toMatch(/researcher: part \d of 2: reading/);
  }, 120_000);

  test("stopped, it has its parts stop, also after a kill", async () => {
    const pages = { "/a": page("A", "a", 4_000), "/b": page("B", "b", 4_000), "/c": { body: "c" } };
    const stage = await open(pages, [
      ["/a", "/c"],
      ["/b", "/c"],
    ]);
    await stage.says("compare them");
    await eventually("its parts", () => stage.site.paths().length > 0);
    await stage.says("/stop");
    await heard(stage, "topped");
    const late = () => stage.site.paths().filter((path) => path === "/c").length;
    await sleep(6_000);
    expect(late()).toBe(0);
    await stage.gateway.kill();
    await stage.gateway.start();
    // Their jobs would have come round.
    await sleep(13_000);
    expect(late()).toBe(0);
  }, 120_000);

  test("on the demo model reads many pages in parts, and says so", async () => {
    const names = ["a", "b", "c", "d", "e"];
    const pages = Object.fromEntries(names.map((name) => [`/${name}`, page(name.toUpperCase(), `Text ${name}.`)]));
    const stage = await open(pages, [], { ASCENT_MODEL: "demo" });
    await stage.says("/start");
    await stage.says(`research ${names.map((name) => `${stage.site.url}/${name}`).join(" ")}`);
    const answer = await heard(stage, "2 tasks of mine have read the pages");
    expect(answer).toContain("Text e.");
    expect(answer).toContain(`[5] E – ${stage.site.url}/e`);
  }, 90_000);
});

describe("an agent that is a process of its own", () => {
  async function open(computes: (prompt: Prompt) => Reply | undefined, asks: readonly string[]) {
    const agent = await startDelegate();
    const stage = await openStage({
      config: {
        delegates: { tester: { url: `${agent.url}/a2a/tester`, apiKey: delegateKey } },
        delegation: { inlineSeconds: 60 },
        skills: { analyst: { asks } },
      },
      env: { ASCENT_A2A_KEYS: key },
    });
    await agent.kill();
    await agent.configure({ delegates: { analyst: { url: `${stage.gateway.url}/a2a/analyst`, apiKey: key } } });
    await agent.start();
    stage.model.script((prompt): Reply | undefined => {
      if (prompt.tools.includes("run_javascript")) return computes(prompt);
      if (prompt.toolOutputs.length > 0) return undefined;
      return use("agent__tester", { task: "onward analyst how much is it?" });
    });
    return { ...stage, agent, says: (text: string) => stage.platform.user(ann).sends(ann, text) };
  }

  test("asks on, and is told the same though both were killed meanwhile", async () => {
    let asked = 0;
    const stage = await open(({ toolOutputs }) => {
      if (toolOutputs.length > 0) return { text: `it is ${/returned: (\d+)/.exec(toolOutputs.join())?.[1]}` };
      asked += 1;
      return { ...use("run_javascript", { code: "return 6 * 7" }), latencyMs: 2_500 };
    }, []);
    await stage.says("ask on");
    await eventually("the analyst", () => asked > 0, 60_000);
    await stage.agent.kill();
    await stage.gateway.kill();
    // It looks for the gateway before that is back.
    await stage.agent.start();
    await stage.gateway.start();
    expect(await heard(stage, "it is 42", 90_000)).toContain("analyst told me");
    await sleep(1_500);
    expect(times(stage, "it is 42")).toBe(1);
  }, 180_000);

  test("is part of a circle: it ends there, and everybody is told why", async () => {
    const stage = await open(
      ({ toolOutputs, tools }) => {
        expect(tools).toContain("agent__tester");
        if (toolOutputs.length > 0) return { text: `no way: ${toolOutputs.join()}` };
        return use("agent__tester", { task: "onward analyst how much is it?" });
      },
      ["tester"],
    );
    await stage.says("go round");
    const answer = await heard(stage, "in a circle");
    expect(answer).toContain("analyst told me: no way");
  }, 120_000);

  test("`ascent agent serve analyst` asks the gateway's knowledge, which its own configuration names", async () => {
    const stage = await openStage({ env: { ASCENT_A2A_KEYS: key } });
    stage.model.script(({ tools, toolOutputs }): Reply | undefined => {
      if (!tools.includes("agent__knowledge")) return undefined;
      if (toolOutputs.length > 0) return { text: `I was told: ${toolOutputs.join()}` };
      return use("agent__knowledge", { task: "what is the rate?" });
    });
    const served = await createGateway({
      command: ["agent", "serve", "analyst"],
      config: { delegates: { knowledge: { url: `${stage.gateway.url}/a2a/knowledge`, apiKey: key } } },
      env: () => ({
        ASCENT_CONFIG: "ascent.yaml",
        ASCENT_A2A_KEYS: key,
        ASCENT_MODEL: "compatible:test",
        OPENAI_BASE_URL: stage.model.baseURL,
        OPENAI_API_KEY: stage.secrets.apiKey,
      }),
    });
    onTestFinished(() => served.close());
    onTestFailed(() => console.error(served.tail()));
    await served.start();
    const headers = { authorization: `Bearer ${key}` };
    const client = await a2aClient({ url: served.url, agent: "analyst", headers });
    const task = (await client.sendMessage(requestOf("how much is the rate?"))) as Task;
    expect(textsOf(task).join()).toContain("There are no documents yet");
    expect(textsOf(task).join()).toContain("Data from: knowledge.");
  }, 90_000);
});
