/** The names of the environment, and where each one stands in ascent.yaml. The environment wins over the file. */

export type Environment = Readonly<Record<string, string | undefined>>;

/** One place in the settings that a variable fills. */
interface Variable {
  readonly path: readonly string[];
  /** An empty value is an error, not an absent one: a secret that is empty protects nothing. */
  readonly secret?: true;
  readonly list?: true;
  /** With this value it is as good as not set. */
  readonly off?: string;
  /** It fills its place only where something else is set beside it. */
  readonly beside?: true;
  /** On the Dapr runtime it may stand in the secret store instead, under the same name. */
  readonly stored?: true;
}

export const variables: Readonly<Record<string, Variable>> = {
  PORT: { path: ["server", "port"] },
  HOST: { path: ["server", "host"] },
  PUBLIC_URL: { path: ["server", "publicUrl"] },
  ASCENT_DATA: { path: ["data"] },
  ASCENT_RUNTIME: { path: ["runtime"] },
  DAPR_HTTP_ENDPOINT: { path: ["dapr", "endpoint"] },
  DAPR_HTTP_PORT: { path: ["dapr", "httpPort"] },
  DAPR_GRPC_ENDPOINT: { path: ["dapr", "grpcEndpoint"] },
  DAPR_GRPC_PORT: { path: ["dapr", "grpcPort"] },
  DAPR_API_TOKEN: { path: ["dapr", "apiToken"], secret: true },
  APP_API_TOKEN: { path: ["dapr", "appToken"], secret: true },
  ASCENT_DAPR_RESOURCES: { path: ["dapr", "resources"], list: true },
  APP_PORT: { path: ["dapr", "appPort"] },
  ASCENT_REPLICA_HOST: { path: ["dapr", "replicaHost"] },
  ASCENT_REPLICA_PORT: { path: ["dapr", "replicaPort"] },
  REDIS_URL: { path: ["redis", "url"], stored: true },
  ASCENT_SECRET: { path: ["secret"], secret: true, stored: true },
  ASCENT_OPERATOR_KEYS: { path: ["operators"], list: true, secret: true, stored: true },
  ASCENT_ACCESS: { path: ["access"] },
  ASCENT_MESSAGES_PER_MINUTE: { path: ["limits", "messagesPerMinute", "person"] },
  ASCENT_MODEL: { path: ["models", "default"] },
  LOG_LEVEL: { path: ["logLevel"] },
  OPENAI_API_KEY: { path: ["models", "openai", "apiKey"], stored: true },
  OPENAI_BASE_URL: { path: ["models", "compatible", "baseUrl"] },
  GEMINI_API_KEY: { path: ["models", "gemini", "apiKey"], stored: true },
  GEMINI_BASE_URL: { path: ["models", "gemini", "baseUrl"] },
  OPENAI_REQUESTS_PER_MINUTE: { path: ["models", "openai", "requestsPerMinute"] },
  OPENAI_TOKENS_PER_MINUTE: { path: ["models", "openai", "tokensPerMinute"] },
  GEMINI_REQUESTS_PER_MINUTE: { path: ["models", "gemini", "requestsPerMinute"] },
  GEMINI_TOKENS_PER_MINUTE: { path: ["models", "gemini", "tokensPerMinute"] },
  COMPATIBLE_REQUESTS_PER_MINUTE: { path: ["models", "compatible", "requestsPerMinute"] },
  COMPATIBLE_TOKENS_PER_MINUTE: { path: ["models", "compatible", "tokensPerMinute"] },
  TRANSCRIPTION_MODEL: { path: ["models", "transcription", "model"] },
  TRANSCRIPTION_BASE_URL: { path: ["models", "transcription", "baseUrl"] },
  TRANSCRIPTION_API_KEY: { path: ["models", "transcription", "apiKey"], stored: true },
  EMBEDDING_MODEL: { path: ["models", "embedding", "model"] },
  EMBEDDING_BASE_URL: { path: ["models", "embedding", "baseUrl"] },
  EMBEDDING_API_KEY: { path: ["models", "embedding", "apiKey"], stored: true },
  ASCENT_KNOWLEDGE_URL: { path: ["skills", "knowledge", "database"], secret: true, stored: true },
  ASCENT_EMBED_ORIGINS: { path: ["channels", "web", "main", "embedOrigins"], list: true },
  TELEGRAM_BOT_TOKEN: { path: ["channels", "telegram", "main", "token"], secret: true, stored: true },
  TELEGRAM_ALLOW: { path: ["channels", "telegram", "main", "allow"], list: true },
  TELEGRAM_API_ROOT: { path: ["channels", "telegram", "main", "apiRoot"] },
  TELEGRAM_WEBHOOK_URL: { path: ["channels", "telegram", "main", "webhookUrl"] },
  TELEGRAM_WEBHOOK_SECRET: { path: ["channels", "telegram", "main", "webhookSecret"], secret: true, stored: true },
  DISCORD_TOKEN: { path: ["channels", "discord", "main", "token"], secret: true, stored: true },
  DISCORD_API_ROOT: { path: ["channels", "discord", "main", "apiRoot"] },
  DISCORD_PUBLIC_KEY: { path: ["channels", "discord", "main", "publicKey"], secret: true, stored: true },
  ASCENT_API_KEYS: { path: ["channels", "openai", "main", "keys"], list: true, secret: true, stored: true },
  ASCENT_A2A_KEYS: { path: ["a2a", "keys"], list: true, secret: true, stored: true },
  ASCENT_A2A_GRPC_PORT: { path: ["a2a", "grpcPort"] },
  ASCENT_A2A_GRPC_URL: { path: ["a2a", "grpcUrl"] },
  WEBHOOK_SECRET: { path: ["channels", "webhook", "main", "secret"], secret: true, stored: true },
  WHATSAPP_TOKEN: { path: ["channels", "whatsapp", "main", "token"], secret: true, stored: true },
  WHATSAPP_PHONE_NUMBER_ID: { path: ["channels", "whatsapp", "main", "phoneNumberId"] },
  WHATSAPP_APP_SECRET: { path: ["channels", "whatsapp", "main", "appSecret"], secret: true, stored: true },
  WHATSAPP_VERIFY_TOKEN: { path: ["channels", "whatsapp", "main", "verifyToken"], secret: true, stored: true },
  WHATSAPP_API_ROOT: { path: ["channels", "whatsapp", "main", "apiRoot"] },
  WHATSAPP_WEB: { path: ["channels", "whatsapp", "main", "web"], off: "off" },
  // Other programs name their browser so, too: alone it asks for nothing.
  CHROMIUM_PATH: { path: ["channels", "whatsapp", "main", "chromium"], beside: true },
  WEBHOOK_ALLOW_HOSTS: { path: ["webhooks", "allowHosts"], list: true },
};

export interface WithEnvironment {
  readonly settings: unknown;
  /** What is wrong with the environment, one sentence each. */
  readonly problems: string[];
  /** The variables that these are about. */
  readonly empty: readonly string[];
}

/** @returns the settings with what the environment says. */
export function withEnvironment(file: unknown, environment: Environment): WithEnvironment {
  const empty: string[] = [];
  let settings = file;
  for (const [name, { path, secret, list, off, beside }] of Object.entries(variables)) {
    const value = environment[name]?.trim();
    if (value === undefined || value === off || (beside === true && !has(settings, path.slice(0, -1)))) continue;
    if (value === "") {
      if (secret) empty.push(name);
      continue;
    }
    const split = () => value.split(",").flatMap((item) => (item.trim() === "" ? [] : [item.trim()]));
    settings = put(settings, path, list ? split() : value);
  }
  const problems = empty.map((name) => `${name} is set but empty: give it a value, or unset it`);
  return { settings, problems, empty };
}

/** The variable that fills this place in the settings, for messages about it. */
export function variableOf(path: readonly PropertyKey[]): string | undefined {
  const at = path.join(".");
  return Object.entries(variables).find(([, variable]) => {
    const place = variable.path.join(".");
    return at === place || at.startsWith(`${place}.`);
  })?.[0];
}

function has(settings: unknown, path: readonly string[]): boolean {
  return isMap(path.reduce<unknown>((at, key) => (isMap(at) ? at[key] : undefined), settings));
}

function put(into: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value;
  const old = isMap(into) ? into : {};
  return { ...old, [key]: put(old[key], rest, value) };
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
