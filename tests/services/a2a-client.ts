/** The official client of the protocol, with a key. */
import { Role, type Message, type SendMessageRequest, type StreamResponse, type Task } from "@a2a-js/sdk";
import {
  ClientFactory,
  ClientFactoryOptions,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
  RestTransportFactory,
  type Client,
} from "@a2a-js/sdk/client";
import { randomUUID } from "node:crypto";

const transports = { "JSON-RPC": JsonRpcTransportFactory, "HTTP+JSON": RestTransportFactory };
export type Transport = keyof typeof transports;

export interface ClientOptions {
  /** The server's. */
  readonly url: string;
  readonly agent: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly transport?: Transport;
  /** Without a socket. */
  readonly handle?: (request: Request) => Promise<Response>;
}

export async function a2aClient(options: ClientOptions): Promise<Client> {
  const { url, agent, headers, transport = "JSON-RPC", handle = fetch } = options;
  const fetchImpl: typeof fetch = (input, init) => {
    const request = new Request(input, init);
    for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
    return handle(request);
  };
  const made = ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
    transports: [new transports[transport]({ fetchImpl })],
    preferredTransports: [transport === "JSON-RPC" ? "JSONRPC" : "HTTP+JSON"],
    cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
  });
  return new ClientFactory(made).createFromUrl(url, `/a2a/${agent}/.well-known/agent-card.json`);
}

export const messageOf = (text: string, of: Partial<Message> = {}): Message => ({
  messageId: randomUUID(),
  contextId: "",
  taskId: "",
  role: Role.ROLE_USER,
  parts: [{ content: { $case: "text", value: text }, metadata: undefined, filename: "", mediaType: "" }],
  metadata: undefined,
  extensions: [],
  referenceTaskIds: [],
  ...of,
});

type Configuration = NonNullable<SendMessageRequest["configuration"]>;

export const requestOf = (
  text: string,
  of: Partial<Message> = {},
  configuration: Partial<Configuration> = {},
): SendMessageRequest => ({
  tenant: "",
  message: messageOf(text, of),
  configuration: {
    acceptedOutputModes: [],
    taskPushNotificationConfig: undefined,
    returnImmediately: false,
    ...configuration,
  },
  metadata: undefined,
});

/** What was made, in words. */
export const textsOf = (task: Pick<Task, "artifacts">): string[] =>
  task.artifacts.flatMap(({ parts }) =>
    parts.flatMap(({ content }) => (content?.$case === "text" ? [content.value] : [])),
  );

export const saidOf = (task: Task): string | undefined => {
  const content = task.status?.message?.parts[0]?.content;
  return content?.$case === "text" ? content.value : undefined;
};

export async function gather(stream: AsyncIterable<StreamResponse>): Promise<StreamResponse[]> {
  const all: StreamResponse[] = [];
  for await (const one of stream) all.push(one);
  return all;
}
