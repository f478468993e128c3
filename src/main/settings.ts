/** The shape of ascent.yaml. Every setting has a default; `ascent.example.yaml` shows them all. */
import { z } from "zod";
import { clientAgentSettings } from "../../agents/client/settings.ts";
import { operatorsSettings } from "../../channels/console/settings.ts";
import { mcpGateway, mcpName, mcpServer } from "../../adapters/mcp/settings.ts";
import { secretProblem } from "../../channels/webhook/secrets.ts";
import { announcedKinds } from "../announce.ts";
import { accessKinds, groupKinds } from "../policy.ts";
import { isKey, keyAdvice } from "../api-keys.ts";
import { mostSteps } from "../mission-plan.ts";
import { budgetsSettings, pricesSettings } from "./budget-settings.ts";
import { channelKinds } from "./channels.ts";
import { delegateName, delegateSettings } from "./delegate-settings.ts";
import { agentCommand, routeSettings } from "./route-settings.ts";
import { skillKinds, type SkillKinds } from "./skills.ts";

const address = z.url({ protocol: /^https?$/, message: "must be a URL that begins with http:// or https://" });
const portWords = "must be a port: a number from 0 to 65535, 0 for a free one";
const port = z.coerce.number(portWords).int(portWords).min(0, portWords).max(65_535, portWords);
const grpcAddress = /^(?:[a-z]+:\/\/)?(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?\/?$/i;
/** Names of accounts stand in addresses and ids. */
const slug = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "is no name: use small letters, digits and dashes");
const key = z.string().min(1, "is empty: set it, or leave it out").optional();
const countWords = "must be a whole number from 1 on";
const count = z.coerce.number(countWords).int(countWords).min(1, countWords).optional();
/** What it takes in a minute and at once, where that is known: what is more stands in line. */
const providerLimits = { requestsPerMinute: count, tokensPerMinute: count, concurrency: count };
const vendor = z.strictObject({ apiKey: key, baseUrl: address.optional(), ...providerLimits }).prefault({});
/** In order of preference: the first that can be had answers. */
const modelList = z.array(z.string().min(1)).min(1, "names no model: leave it out").optional();

const access = z.enum(accessKinds, `must be one of ${accessKinds.join(", ")}`);
/** Of people and groups, as their platform gives them: a number that YAML cannot hold exactly is somebody else's. */
const idWords = "must be an id: a text, or a whole number; long ones in quotes";
const platformIds = z.array(
  z.union(
    [z.string().trim().min(1, idWords), z.number().refine(Number.isSafeInteger, idWords).transform(String)],
    idWords,
  ),
);
const rateWords = 'must be a whole number from 1 on, or "off"';
const rate = z.union([z.literal("off"), z.coerce.number(rateWords).int(rateWords).min(1, rateWords)], rateWords);

const secondsWords = 'must be a number of seconds, or "off"';
const seconds = z.union([z.literal("off"), z.number(secondsWords).positive(secondsWords)], secondsWords);

/** What every account of every channel takes beside its channel's own settings. */
const accountSettings = {
  /** The agent that answers there; by default the first one. */
  agent: z.string().optional(),
  tenant: z.string().min(1).default("default"),
  enabled: z.boolean().default(true),
  /** Who may write in direct chats; {@link settings}' own unless given. */
  access: access.optional(),
  /** People who may write whatever `access` says, and who may not. */
  allow: platformIds.default([]),
  block: platformIds.default([]),
  /** What is answered in groups, and in which: in all of them where access is open, else in none, unless given. */
  groups: z.enum(groupKinds, `must be one of ${groupKinds.join(", ")}`).default("mention"),
  allowGroups: platformIds.optional(),
  /** Other bots are answered too. */
  bots: z.boolean().default(false),
  messagesPerMinute: z.strictObject({ person: rate.optional(), account: rate.optional() }).default({}),
};
type Given = z.output<z.ZodObject<typeof accountSettings>>;
export type AccountSettings = Readonly<Given>;

/** A channel's own settings and {@link accountSettings}; a name that neither knows is an error. */
function accountOf(own: z.ZodType): z.ZodType {
  return own instanceof z.ZodObject ? own.extend(accountSettings).strict() : own.and(z.object(accountSettings));
}

const accounts = Object.fromEntries(
  Object.entries(channelKinds).map(([name, kind]) => [
    name,
    z.record(slug, accountOf(kind.settings)).prefault(kind.always ? { main: {} } : {}),
  ]),
);

/** One tenant's, of what {@link settings}' own limits are for all. */
const tenantLimits = {
  /** Turns that run at once; else, where there are several tenants, as many as it leaves free. */
  turns: z.number().int().positive().optional(),
  /** Taken from all people of all its accounts together. */
  messagesPerMinute: rate.default("off"),
  /** Bytes of its files; else, where there are several tenants, as much as it leaves free. */
  blobBytes: z.number().int().positive().optional(),
};

const signingSecret = z.string().superRefine((given, context) => {
  const message = secretProblem(given);
  if (message !== undefined) context.addIssue({ code: "custom", message });
});

const wanted = {
  events: z.array(z.enum(announcedKinds)).min(1, "names no event"),
  /** "channel/account"; absent: all. */
  accounts: z.array(z.string()).optional(),
};

/** A skilled agent's own settings, and whether the gateway runs it. */
export function skillSettings(kinds: SkillKinds): Record<string, z.ZodType> {
  return Object.fromEntries(
    Object.entries(kinds).map(([name, { settings: own, on }]) => [
      name,
      own
        .extend({ enabled: z.boolean().default(on) })
        .strict()
        .prefault({}),
    ]),
  );
}

export const settings = z.strictObject({
  server: z
    .strictObject({
      host: z.string().min(1).default("127.0.0.1"),
      port: port.default(3000),
      publicUrl: address.transform((url) => url.replace(/\/+$/, "")).optional(),
      /** Seconds that running requests and turns get at SIGTERM. */
      graceSeconds: z.number().positive().default(25),
    })
    .prefault({}),
  runtime: z.enum(["embedded", "dapr"], 'must be "embedded" or "dapr"').default("embedded"),
  dapr: z
    .strictObject({
      /** The sidecar's address, where it is not beside the gateway. */
      endpoint: address.optional(),
      httpPort: port.default(3500),
      /** The sidecar's gRPC, which missions need: host:port, or its port beside the gateway. */
      grpcEndpoint: z.string().min(1).optional(),
      grpcPort: port.default(50_001),
      apiToken: key,
      /** What the sidecar says with every call: without it, anybody who reaches the port could speak for it. */
      appToken: key,
      /** Where the sidecar calls the gateway. */
      appHost: z.string().min(1).default("127.0.0.1"),
      appPort: port.default(3001),
      /** Folders of the sidecar's components, for `ascent doctor` to look at. */
      resources: z.array(z.string().min(1)).default([]),
      /** Seconds after which another replica takes over a channel's socket. More makes an idle gateway cheaper. */
      leaseSeconds: z.number().min(4).default(7),
      /** Where other replicas reach this one, for channels that send through their socket; its own address unless given. */
      replicaHost: z.string().min(1).optional(),
      replicaPort: port.default(0),
    })
    .prefault({}),
  redis: z
    .strictObject({
      url: z.url({ protocol: /^rediss?$/, message: "must be a URL that begins with redis:// or rediss://" }).optional(),
    })
    .prefault({}),
  data: z.string().min(1).default("./data"),
  secret: z
    .string()
    .min(32, 'needs 32 characters or more: take what "openssl rand -hex 32" prints, or unset it')
    .optional(),
  /** Whose keys open the operators' API; without any it is off. */
  operators: operatorsSettings.optional(),
  access: access.default("open"),
  logLevel: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
  models: z
    .strictObject({
      /** The model of every agent that names none, or several with commas between: the first that can be had. */
      default: z.string().optional(),
      openai: vendor,
      gemini: vendor,
      compatible: vendor,
      /** What hears voice messages and other recordings. */
      transcription: z
        .strictObject({
          /** `openai:<model>` or `compatible:<model>`; without one the agent is told that it could not hear. */
          model: z.string().min(1).optional(),
          /** Where it is not that of the vendor's other models. */
          baseUrl: address.optional(),
          /** The vendor's where absent, unless `baseUrl` leads elsewhere. */
          apiKey: key,
          /** Of one recording. */
          maxBytes: z.number().int().positive().default(25_000_000),
          timeoutSeconds: z.number().positive().default(60),
        })
        .prefault({}),
      /** What turns the documents of `knowledge` into vectors. */
      embedding: z
        .strictObject({
          /** `openai:<model>`, `gemini:<model>` or `compatible:<model>`; without one documents are found by their words alone. */
          model: z.string().min(1).optional(),
          /** Where it is not that of the vendor's other models. */
          baseUrl: address.optional(),
          /** The vendor's where absent, unless `baseUrl` leads elsewhere. */
          apiKey: key,
          timeoutSeconds: z.number().positive().default(60),
        })
        .prefault({}),
      timeoutSeconds: z.number().positive().default(120),
      retries: z.number().int().min(0).max(10).default(2),
      /** How long a request may stand in line; then the person is told to come back. */
      queueSeconds: z.number().positive().default(900),
      /** How long it may where another model of the list is to be had sooner. */
      fallbackSeconds: z.number().min(0).default(20),
      /** Sends the runs of agents, with message text, to OpenAI. */
      tracing: z.boolean().default(false),
    })
    .prefault({}),
  agents: z
    .record(
      z.string().min(1),
      clientAgentSettings
        .extend({
          model: z.string().min(1).optional(),
          models: modelList,
          /** People may choose it with /agent; those that have a command may be chosen unless it says otherwise. */
          offered: z.boolean().optional(),
          /** What begins with this command is for it, and what follows there. */
          command: agentCommand.optional(),
          /** A TypeScript file that defines it, from the configuration's folder on. */
          module: z.string().min(1).optional(),
        })
        .strict(),
    )
    .prefault({ assistant: {} }),
  /** Which agent answers where; the first that fits counts. */
  routes: z.array(routeSettings).default([]),
  /** MCP servers whose tools agents may use. */
  mcp: z.record(mcpName, mcpServer).prefault({}),
  /** The gateway as an MCP server, for programs. */
  mcpServer: mcpGateway.prefault({}),
  channels: z.strictObject(accounts).prefault({}),
  /** Who may ask the agents by A2A, and within which bounds. */
  a2a: z
    .strictObject({
      /** Each key is a caller of its own; without any nobody outside of the gateway is served. */
      keys: z.array(z.string().refine(isKey, `is no valid key: ${keyAdvice}`)).default([]),
      /** They are served by gRPC too, there; absent: they are not. */
      grpcPort: port.optional(),
      /** Where others reach that, as the agents' cards say: "host:port", the host of their HTTP address unless given. */
      grpcUrl: z.string().regex(grpcAddress, 'must be "host:port", or a URL with it').optional(),
      /** How long a call that waits for its task is held at most. */
      waitSeconds: z
        .number()
        .positive()
        .max(110, "must be 110 at most: the server ends what is silent for longer")
        .default(60),
      streamsPerCaller: z.number().int().positive().default(50),
      /** Files come within the body, in base64. */
      bodyBytes: z
        .number()
        .int()
        .positive()
        .max(25 * 1024 * 1024)
        .default(12 * 1024 * 1024),
      /** Of one caller with one agent. */
      tasks: z.number().int().min(10).max(1_000).default(250),
      /** Days after which a task that has ended is forgotten. */
      taskDays: z.number().positive().default(7),
    })
    .prefault({}),
  /** Skilled agents in the gateway itself; `ascent agent serve` runs one as a process of its own. */
  skills: z.strictObject(skillSettings(skillKinds)).prefault({}),
  /** Agents elsewhere that client agents can give tasks to, besides the skilled agents of the gateway. */
  delegates: z.record(delegateName, delegateSettings).default({}),
  delegation: z
    .strictObject({
      /** How long a turn waits for a task before it goes on in the background. */
      inlineSeconds: z.number().min(0).max(120, "must be 120 at most").default(20),
    })
    .prefault({}),
  /** Work of several steps that agents begin and that outlives their turns. */
  missions: z
    .strictObject({
      enabled: z.boolean().default(true),
      /** Of one person at once. */
      perPerson: z.number().int().positive().max(50).default(5),
      steps: z.number().int().positive().max(mostSteps).default(mostSteps),
      /** A mission that takes longer is given up. */
      days: z.number().positive().max(365).default(30),
    })
    .prefault({}),
  /** Where it is given it names all tenants that accounts may have. */
  tenants: z
    .record(z.string().min(1), z.strictObject({ limits: z.strictObject(tenantLimits).prefault({}) }))
    .optional(),
  /** What calls of models, tools and agents may come to; nothing is counted where nobody is named. */
  budgets: budgetsSettings.prefault({}),
  prices: pricesSettings.prefault({}),
  /** Persons of the operator's instead of the agent. */
  takeover: z
    .strictObject({
      /** How long people who ask for a person wait for one before the agent answers again; "off": nobody is asked for. */
      waitSeconds: seconds.default(600),
      /** How long an operator who has a conversation may say nothing before it is the agent's again. */
      silentSeconds: seconds.default("off"),
    })
    .prefault({}),
  /** Thumbs on answers, and reviews. Off, nothing is kept for it. */
  feedback: z
    .strictObject({
      enabled: z.boolean().default(false),
      /** Reactions that count as a thumb. */
      up: z.array(z.string().min(1)).default(["👍"]),
      down: z.array(z.string().min(1)).default(["👎"]),
      /** The page asks whoever is not content what was wrong. */
      asks: z.boolean().default(false),
      /** How long an answer can be rated, and a rating or a review is kept. */
      days: z.number().positive().max(3_650).default(90),
    })
    .prefault({}),
  webhooks: z
    .strictObject({
      /** Hosts in private networks that callbacks and subscribers may be at. */
      allowHosts: z.array(z.string().min(1)).default([]),
      /** Who is told what happens here; each signs with a secret of its own. */
      subscribers: z.array(z.strictObject({ url: address, secret: signingSecret, ...wanted })).default([]),
      /** The same by components of the Dapr runtime. */
      bindings: z
        .array(
          z.strictObject({
            name: z.string().min(1),
            operation: z.string().min(1).default("create"),
            metadata: z.record(z.string(), z.string()).default({}),
            ...wanted,
          }),
        )
        .default([]),
      /** The same on topics of pub/sub components of the Dapr runtime, each event on the topic of its own name unless given. */
      topics: z
        .array(z.strictObject({ pubsub: z.string().min(1), topic: z.string().min(1).optional(), ...wanted }))
        .default([]),
    })
    .prefault({}),
  limits: z
    .strictObject({
      /** Turns that run at once. */
      turns: z.number().int().positive().default(2_000),
      /** Taken from one person, and from all of an account's together; what is more is set aside. */
      messagesPerMinute: z.strictObject({ person: rate.default(30), account: rate.default("off") }).prefault({}),
      /** Bytes of all files that people and agents send; past them a file is refused. */
      blobBytes: z.number().int().positive().default(2_147_483_648),
      /** Days after which a file is deleted. */
      blobDays: z.number().positive().default(30),
    })
    .prefault({}),
});
export type Settings = z.infer<typeof settings>;
