/** The settings of both sides, without the SDK: they are read whether it is used or not. */
import { z } from "zod";
import { isKey, keyAdvice } from "../../src/api-keys.ts";
import { needs } from "../../src/tools.ts";

const common = {
  /** What calls with effects need where no rule of an agent's says otherwise. */
  needs: z.enum(needs, `must be one of ${needs.join(", ")}`).default("person"),
  /** What the server says of its tools' effects is believed. */
  trust: z.boolean().default(false),
  /** What a call of a tool does, by its name, where the operator knows: "*" stands for any characters, the first that fits counts. */
  effects: z
    .record(z.string().min(1), z.enum(["none", "idempotent", "once"], "must be none, idempotent or once"))
    .default({}),
  /** Names of its tools that are offered at all; "*" stands for any characters. */
  tools: z.array(z.string().min(1)).default(["*"]),
  /** Names of agents that may use it; absent: all. */
  agents: z.array(z.string().min(1)).optional(),
  /** It may ask the person something while a call waits. */
  asks: z.boolean().default(false),
  /** Of all that it asks in one form, together. */
  answerSeconds: z.number().positive().max(600).default(120),
  /** Of one call, from its last sign of progress; the person's time to answer does not count. */
  timeoutSeconds: z.number().positive().max(3_600).default(60),
  /** Of one message of the server's, files in base64 included. */
  resultBytes: z
    .number()
    .int()
    .min(1_024)
    .max(64 * 1024 * 1024)
    .default(4 * 1024 * 1024),
};

const stdio = z.strictObject({
  command: z.string().min(1),
  args: z.array(z.string()).default([]),
  /** Beside PATH, HOME, LOGNAME, SHELL, TERM and USER: nothing else of the gateway's environment is handed on. */
  env: z.record(z.string(), z.string()).default({}),
  cwd: z.string().min(1).optional(),
  ...common,
});

const url = z.url({ protocol: /^https?$/, message: "must be a URL that begins with http:// or https://" });

const http = z.strictObject({
  url,
  headers: z.record(z.string(), z.string()).default({}),
  /** Client credentials: the token is fetched, kept and renewed. */
  oauth: z
    .strictObject({
      /** Whose credentials these are: they go nowhere else, whatever the server says. */
      issuer: url,
      clientId: z.string().min(1),
      clientSecret: z.string().min(1, "is empty: set it, or leave oauth out"),
      scope: z.string().min(1).optional(),
    })
    .optional(),
  ...common,
});

export const mcpServer = z.unknown().transform((given, context): z.output<typeof stdio> | z.output<typeof http> => {
  const isHttp = typeof given === "object" && given !== null && "url" in given;
  const read = (isHttp ? http : stdio).safeParse(given, { reportInput: true });
  if (read.success) return read.data;
  for (const issue of read.error.issues) {
    const isMissing = !isHttp && issue.path[0] === "command" && issue.code === "invalid_type";
    const message = isMissing ? "says neither command nor url: give one of them" : issue.message;
    context.issues.push({ code: "custom", message, path: isMissing ? [] : issue.path, input: issue.input });
  }
  return z.NEVER;
});
export type McpServer = z.output<typeof mcpServer>;
export type HttpServer = z.output<typeof http>;
export type StdioServer = z.output<typeof stdio>;

/** Stands before each tool's name, which has at most 64 characters with it. */
export const mcpName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,23}$/, "is no name: use up to 24 small letters, digits and dashes")
  .refine((name) => name !== "agent" && name !== "gateway", "is taken: choose another name");

export const scopes = ["ask", "read", "send"] as const;
export type Scope = (typeof scopes)[number];

/** The gateway as a server. */
export const mcpGateway = z.strictObject({
  /** Each is a caller of its own. Without any, there is nothing at /mcp. */
  keys: z
    .array(
      z.strictObject({
        key: z.string().refine(isKey, `is no valid key: ${keyAdvice}`),
        /** For logs and for agents, which are told who asks. */
        name: z.string().min(1).max(64),
        tenant: z.string().min(1).default("default"),
        /** ask: questions to agents; read: what people and agents said; send: messages to people. */
        scopes: z.array(z.enum(scopes, `must be one of ${scopes.join(", ")}`)).default(["ask"]),
      }),
    )
    .default([])
    .refine((keys) => new Set(keys.map(({ key }) => key)).size === keys.length, "holds a key twice"),
  /** Names that the gateway is reached by, beside those of server.host and server.publicUrl. */
  hosts: z.array(z.string().min(1)).default([]),
  /** Of web pages that may ask, beside that of server.publicUrl. */
  origins: z.array(url).default([]),
  /** How long a question may wait for its answer; asked again under the same id, it waits for the same one. */
  waitSeconds: z.number().positive().max(110).default(100),
});
export type McpGateway = z.output<typeof mcpGateway>;
