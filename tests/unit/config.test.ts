import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { accountsOf } from "../../src/main/accounts.ts";
import { budgetsOf } from "../../src/main/budget-settings.ts";
import { ConfigError, loadConfig } from "../../src/main/config.ts";
import { variables } from "../../src/main/environment.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ascent-config-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(yaml: string): { ASCENT_CONFIG: string } {
  const path = join(folder, "ascent.yaml");
  writeFileSync(path, yaml);
  return { ASCENT_CONFIG: path };
}

async function problems(environment: Record<string, string>): Promise<readonly string[]> {
  const error: unknown = await loadConfig(environment).catch((thrown: unknown) => thrown);
  if (!(error instanceof ConfigError))
    throw new Error(`the configuration was taken, or failed otherwise: ${String(error)}`);
  return error.problems;
}

describe("without a file and without variables", () => {
  it("everything has a default: the demo model on the web page, for this machine only", async () => {
    const config = await loadConfig({});
    expect(config.server).toMatchObject({ host: "127.0.0.1", port: 3000 });
    expect(config.model).toEqual({ spec: "demo", because: "no key is set" });
    expect(accountsOf(config).map(({ name, account }) => `${name}/${account}`)).toEqual(["web/main"]);
    expect(config.agents["assistant"]?.model).toBeUndefined();
  });
});

describe("the environment", () => {
  it.each([
    [{ OPENAI_API_KEY: "k" }, /^openai:/],
    [{ GEMINI_API_KEY: "k" }, /^gemini:/],
    [{ OPENAI_API_KEY: "k", ASCENT_MODEL: "compatible:x", OPENAI_BASE_URL: "http://127.0.0.1:1/v1" }, /^compatible:x$/],
  ])("%o chooses the model", async (environment, spec) => {
    expect((await loadConfig(environment)).model.spec).toMatch(spec);
  });

  it("serves agents by gRPC where it says so, to whom could ask, at an address that is one", async () => {
    const asked = { ASCENT_A2A_KEYS: "a-key-of-sixteen-letters", ASCENT_A2A_GRPC_PORT: "3080" };
    const { a2a } = await loadConfig({ ...asked, ASCENT_A2A_GRPC_URL: "agents.example.com:443" });
    expect(a2a).toMatchObject({ grpcPort: 3080, grpcUrl: "agents.example.com:443" });
    expect((await loadConfig({ ASCENT_A2A_KEYS: asked.ASCENT_A2A_KEYS })).a2a.grpcPort).toBeUndefined();
    expect(await problems({ ASCENT_A2A_GRPC_PORT: "3080" })).toEqual([expect.stringContaining("set a2a.keys")]);
    for (const url of ["two words", "host:port", "https://example.com/path"])
      expect(await problems({ ...asked, ASCENT_A2A_GRPC_URL: url })).toEqual([expect.stringContaining("host:port")]);
  });

  it("asks for the model when only an address is given", async () => {
    expect(await problems({ OPENAI_BASE_URL: "http://127.0.0.1:1/v1" })).toEqual([
      expect.stringContaining("ASCENT_MODEL=compatible:"),
    ]);
  });

  it.each(["TELEGRAM_BOT_TOKEN", "TELEGRAM_WEBHOOK_SECRET", "WEBHOOK_SECRET", "ASCENT_SECRET"])(
    "an empty %s is refused by its name: it protects nothing",
    async (name) => {
      expect(await problems({ [name]: "" })).toContainEqual(expect.stringContaining(`${name} is set but empty`));
    },
  );

  it.each([
    ["PORT", "eighty"],
    ["PORT", "70000"],
    ["PUBLIC_URL", "chat.example.com"],
    ["ASCENT_SECRET", "short"],
    ["ASCENT_ACCESS", "everybody"],
    ["LOG_LEVEL", "loud"],
    ["ASCENT_EMBED_ORIGINS", "example.com"],
  ])("a wrong %s (%s) is named in the problem", async (name, value) => {
    expect(await problems({ [name]: value })).toContainEqual(expect.stringContaining(`(${name})`));
  });

  it("wins over the file, and lists are split at commas", async () => {
    const from = file("server: { port: 1234 }\nchannels: { web: { main: { embedOrigins: [https://a.example] } } }");
    const config = await loadConfig({
      ...from,
      PORT: "4321",
      ASCENT_EMBED_ORIGINS: "https://b.example, https://c.example",
    });
    expect(config.server.port).toBe(4321);
    expect(config.channels["web"]).toMatchObject({
      main: { embedOrigins: ["https://b.example", "https://c.example"] },
    });
  });
});

describe("the model that transcribes", () => {
  it.each([
    [{ TRANSCRIPTION_MODEL: "gemini:x" }, "does not transcribe"],
    [{ TRANSCRIPTION_MODEL: "whisper-1" }, "does not transcribe"],
    [{ TRANSCRIPTION_MODEL: "openai:whisper-1" }, "set OPENAI_API_KEY"],
    [
      {
        TRANSCRIPTION_MODEL: "openai:whisper-1",
        OPENAI_API_KEY: "k",
        TRANSCRIPTION_BASE_URL: "http://127.0.0.1:9/v1",
      },
      "set TRANSCRIPTION_API_KEY",
    ],
    [{ TRANSCRIPTION_MODEL: "compatible:whisper-1" }, "set TRANSCRIPTION_BASE_URL or OPENAI_BASE_URL"],
  ])("%j is refused: %s", async (environment, words) => {
    const found = await problems(environment);
    expect(found).toEqual([expect.stringContaining("models.transcription.model (TRANSCRIPTION_MODEL)")]);
    expect(found[0]).toContain(words);
  });

  it("needs no model of another kind beside it", async () => {
    const env = { TRANSCRIPTION_MODEL: "compatible:whisper-1", TRANSCRIPTION_BASE_URL: "http://127.0.0.1:9/v1" };
    const { model, models } = await loadConfig(env);
    expect(model.spec).toBe("demo");
    expect(models.transcription).toMatchObject({ model: "compatible:whisper-1", timeoutSeconds: 60 });
  });
});

describe("the model that makes vectors", () => {
  it.each([
    [{ EMBEDDING_MODEL: "small" }, "makes no vectors"],
    [{ EMBEDDING_MODEL: "openai:small" }, "set OPENAI_API_KEY"],
    [{ EMBEDDING_MODEL: "gemini:small" }, "set GEMINI_API_KEY"],
    [{ EMBEDDING_MODEL: "compatible:small" }, "set EMBEDDING_BASE_URL or OPENAI_BASE_URL"],
  ])("%j is refused: %s", async (environment, words) => {
    const found = await problems(environment);
    expect(found).toEqual([expect.stringContaining("models.embedding.model (EMBEDDING_MODEL)")]);
    expect(found[0]).toContain(words);
  });
});

describe("a list of models", () => {
  const keys = { OPENAI_API_KEY: "k", GEMINI_API_KEY: "k" };

  it("is taken with commas between, or as a list of an agent, skilled or not", async () => {
    const given = file(
      "agents: { a: { models: [gemini:x, openai:y] } }\nskills: { analyst: { models: [openai:z, gemini:x] } }",
    );
    const config = await loadConfig({ ...keys, ...given, ASCENT_MODEL: "openai:gpt-5-mini, gemini:x" });
    expect(config.model.spec).toBe("openai:gpt-5-mini, gemini:x");
    expect(config.agents["a"]?.models).toEqual(["gemini:x", "openai:y"]);
    expect(config.skills["analyst"]).toMatchObject({ models: ["openai:z", "gemini:x"] });
  });

  it.each([
    [{ ASCENT_MODEL: "openai:a,gemini:b", OPENAI_API_KEY: "k" }, "models.default (ASCENT_MODEL): gemini:b needs a key"],
    [
      { ...keys, ASCENT_MODEL: "openai:a,demo" },
      "models.default (ASCENT_MODEL): The demo model stands in for no other",
    ],
    [{ ...keys, ASCENT_MODEL: "openai:a," }, 'models.default (ASCENT_MODEL): The model "" is not known'],
  ])("%j is refused: %s", async (environment, words) => {
    expect(await problems(environment)).toEqual([expect.stringContaining(words)]);
  });

  it("is refused by the agent's name, skilled or not, and beside a single one", async () => {
    const given = file(
      "agents: { a: { models: [gemini:x, other:y] }, b: { model: gemini:x, models: [gemini:x] } }\n" +
        "skills: { analyst: { model: compatible:x }, researcher: { enabled: false, model: compatible:x } }",
    );
    expect(await problems({ ...keys, ...given })).toEqual([
      expect.stringMatching(/^agents.a.models: The model "other:y" is not known/),
      "agents.b: has model and models: leave one of them out",
      expect.stringMatching(/^skills.analyst.model: compatible:x needs an address/),
    ]);
  });

  it("stands in line at providers whose limits are given", async () => {
    const given = file("models: { openai: { concurrency: 3, tokensPerMinute: 1000 } }");
    const { models } = await loadConfig({ ...given, GEMINI_REQUESTS_PER_MINUTE: "5" });
    expect(models.gemini).toEqual({ requestsPerMinute: 5 });
    expect(models.openai).toEqual({ concurrency: 3, tokensPerMinute: 1000 });
    expect(await problems({ GEMINI_REQUESTS_PER_MINUTE: "none" })).toEqual([
      "models.gemini.requestsPerMinute (GEMINI_REQUESTS_PER_MINUTE): must be a whole number from 1 on",
    ]);
  });
});

describe("ascent.yaml", () => {
  it("the annotated example is valid as it stands, and names every variable", async () => {
    const example = readFileSync(join(import.meta.dirname, "../../ascent.example.yaml"), "utf8");
    expect(await loadConfig(file(example))).toMatchObject(
      await loadConfig({}).then(({ file: _file, ...rest }) => rest),
    );
    for (const name of Object.keys(variables)) expect(example).toContain(`[${name}]`);
  });

  it("takes ${NAME} and ${NAME:-default} from the environment, and names what is missing", async () => {
    const from = file("server: { host: '${WHERE:-::1}', publicUrl: 'https://${NAME}.example' }");
    expect((await loadConfig({ ...from, NAME: "chat" })).server).toMatchObject({
      host: "::1",
      publicUrl: "https://chat.example",
    });
    expect(await problems(from)).toEqual([expect.stringContaining("server.publicUrl uses ${NAME}, which is not set")]);
  });

  it.each([
    ["servr: {}", "has no setting servr"],
    ["channels: { telegramm: {} }", "has no setting telegramm"],
    ["channels: { web: { main: { colour: red } } }", "has no setting colour"],
    ["channels: { web: { 'Main Street': {} } }", "is no name"],
    ["channels: { web: { main: { agent: nobody } } }", 'there is no agent "nobody"'],
    ["agents: {}", "at least one is needed"],
    ["server: [", "ascent.yaml"],
  ])("%s is refused: %s", async (yaml, words) => {
    expect((await problems(file(yaml))).join("\n")).toContain(words);
  });

  it("a file that is named and missing is an error, not a default", async () => {
    expect(await problems({ ASCENT_CONFIG: join(folder, "nowhere.yaml") })).toEqual([
      expect.stringContaining("does not exist"),
    ]);
  });

  it("an account can be switched off", async () => {
    expect(accountsOf(await loadConfig(file("channels: { web: { main: { enabled: false } } }")))).toEqual([]);
  });
});

describe("subscribers", () => {
  const subscriber = (more: string) => file(`webhooks: { subscribers: [${more}] }`);
  const good = `url: https://x.example, secret: "${"YWJj".repeat(8)}", events: [message.answered]`;

  it.each([
    [`{ url: https://x.example, secret: "", events: [message.answered] }`, "subscribers.0.secret: is empty"],
    [`{ url: https://x.example, secret: "no!", events: [message.answered] }`, "subscribers.0.secret: is not valid"],
    [`{ url: https://x.example, secret: "YWJj", events: [] }`, "subscribers.0.events: names no event"],
    [`{ url: https://x.example, secret: "YWJj", events: [approval.wanted] }`, "subscribers.0.events.0"],
    [`{ ${good}, accounts: [telegram/main] }`, `there is no account "telegram/main"; there are web/main`],
    [`{ ${good} }, { ${good} }`, "subscribers.1.url: stands there twice"],
  ])("%s is refused, saying where", async (yaml, words) => {
    expect(await problems(subscriber(yaml))).toContainEqual(expect.stringContaining(words));
  });

  it("by a binding are for the Dapr runtime", async () => {
    expect(await problems(file("webhooks: { bindings: [{ name: x, events: [message.answered] }] }"))).toEqual([
      "webhooks.bindings: only the Dapr runtime has them: set ASCENT_RUNTIME=dapr",
    ]);
  });

  it("are taken where nothing is wrong", async () => {
    const { webhooks } = await loadConfig(subscriber(`{ ${good}, accounts: [web/main] }`));
    expect(webhooks.subscribers).toHaveLength(1);
  });
});

describe("delegates", () => {
  const delegate = (yaml: string) => file(`delegates:\n  ${yaml}\n`);

  it.each([
    ["reply: { url: https://a.example }", /delegates\.reply: is taken: reply, cancel, tasks/],
    ["Weather: { url: https://a.example }", /delegates\.Weather: is no name/],
    ["weather: {}", /delegates\.weather: needs one of url, app and local/],
    ["weather: { url: https://a.example, app: x }", /delegates\.weather: needs one of url, app and local/],
    ["weather: { url: ftp://a.example }", /delegates\.weather\.url: must be a URL/],
    ["weather: { url: https://a.example, apiKey: '' }", /delegates\.weather\.apiKey: is empty/],
    ["weather: { url: https://a.example, signedBy: [hello] }", /signedBy\.0: is no public key/],
    ["weather: { url: https://a.example, modalities: [text] }", /modalities\.0: is no media type/],
    ["weather: { app: weather }", /delegates\.weather\.app: only the Dapr runtime/],
    ["weather: { local: weather }", /delegates\.weather\.local: there is no skilled agent "weather"/],
  ])("%s is refused in words that say what to do", async (yaml, words) => {
    expect(await problems(delegate(yaml))).toEqual([expect.stringMatching(words)]);
  });

  it("have defaults for everything but where they are", async () => {
    const { delegates, delegation } = await loadConfig(delegate("weather: { url: https://a.example/weather }"));
    expect(delegates["weather"]).toMatchObject({ headers: {}, signedBy: [], origins: [], sameSecret: false });
    expect(delegation.inlineSeconds).toBe(20);
  });
});

describe("budgets", () => {
  const key = { OPENAI_API_KEY: "k", ASCENT_MODEL: "openai:a,openai:b" };
  const given = (yaml: string) => ({ ...key, ...file(yaml) });

  it.each([
    ["budgets: { person: { day: { tokens: 0 } } }", /^budgets\.person\.day\.tokens: must be a whole number from 1 on/],
    ["budgets: { person: { week: {} } }", /^budgets\.person: has no setting week/],
    ["budgets: { somebody: {} }", /^budgets: has no setting somebody/],
    ["budgets: { timeZone: Mars/Olympus }", /^budgets\.timeZone: is no time zone/],
    ["budgets: { keepDays: 7 }", /^budgets\.keepDays: must be 32 at least/],
    ["budgets: { person: { day: { money: -1 } } }", /^budgets\.person\.day\.money: must be an amount above 0/],
    ["prices: { models: { openai:a: { input: -1 } } }", /^prices\.models\.openai:a\.input: must be a price/],
  ])("%s is refused in words that say what to do", async (yaml, words) => {
    expect(await problems(given(yaml))).toEqual([expect.stringMatching(words)]);
  });

  it("of money need a price for every model that may be asked, wherever it is named", async () => {
    const named = `
budgets: { tenant: { month: { money: 5 } } }
prices: { models: { "openai:a": { input: 1, output: 2 } } }
agents: { one: {}, two: { models: [openai:c], summaryModel: "openai:d" } }
skills: { analyst: { model: "openai:e" }, scheduler: { enabled: false, model: "openai:f" } }
models: { transcription: { model: "openai:whisper-1" } }`;
    const found = await problems(given(named));
    expect(
      found.map((line) => /^prices\.models: (\S+) has no price, and budgets\.tenant\.month\.money/.exec(line)?.[1]),
    ).toEqual(expect.arrayContaining(["openai:b", "openai:c", "openai:d", "openai:e", "openai:whisper-1"]));
    expect(found).toHaveLength(5);
  });

  it("of tokens and calls need none, and nobody has one unless given", async () => {
    const { budgets } = await loadConfig(given("budgets: { person: { day: { tokens: 5, calls: 2 } }, gateway: {} }"));
    expect(budgetsOf({ budgets, prices: { models: {}, tools: {} } })).toMatchObject({
      timeZone: "UTC",
      scopes: { person: { day: { tokens: 5, calls: 2 } }, gateway: {} },
    });
    const plain = await loadConfig(key);
    expect(budgetsOf(plain)).toBeUndefined();
  });

  it("count money in whole billionths", async () => {
    const { budgets, prices } = await loadConfig({ ...file("budgets: { person: { day: { money: 0.07 } } }") });
    expect(budgetsOf({ budgets, prices })?.scopes.person?.day?.money).toBe(70_000_000);
  });
});
