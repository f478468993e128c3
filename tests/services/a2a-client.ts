/** The official client of the protocol, with a key. */
import { Role, type Message, type SendMessageRequest, type StreamResponse, type Task } from "@a2a-js/sdk";
import {
  ClientFactory,
  ClientFactoryOptions,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
  RestTransportFactory,
  type Client,
  type RequestOptions,
} from "@a2a-js/sdk/client";
import { GrpcTransportFactory } from "@a2a-js/sdk/client/grpc";
import { randomUUID } from "node:crypto";

const transports = {
  "JSON-RPC": ["JSONRPC", (fetchImpl: typeof fetch) => new JsonRpcTransportFactory({ fetchImpl })],
  "HTTP+JSON": ["HTTP+JSON", (fetchImpl: typeof fetch) => new RestTransportFactory({ fetchImpl })],
  gRPC: ["GRPC", () => new GrpcTransportFactory()],
} as const;
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
  const [binding, factory] = transports[transport];
  /** gRPC has no fetch. */
  const before = async ({ options: of }: { options?: RequestOptions }) => {
    if (of !== undefined) of.serviceParameters = { ...of.serviceParameters, ...headers };
  };
  const interceptors = binding === "GRPC" ? [{ before, after: async () => undefined }] : [];
  const made = ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
    transports: [factory(fetchImpl)],
    preferredTransports: [binding],
    clientConfig: { interceptors },
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
