import { generateKeyPairSync, sign } from "node:crypto";
import { performance } from "node:perf_hooks";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createGateway, type Gateway } from "./discord/gateway.ts";
import { respond } from "./discord/interactions.ts";
import { createPerson, mentionedIn, type Carry, type Person } from "./discord/people.ts";
import { createRest } from "./discord/rest.ts";
import type { Channel, Fault, InteractionEntry, Message, RequestEntry } from "./discord/types.ts";
import { createWorld } from "./discord/world.ts";

export interface DiscordFakeOptions {
  readonly token?: string;
  /** The bot may ask for the text of all messages. Default true. */
  readonly contentAllowed?: boolean;
  /** How long a nonce keeps a message from being sent twice. Default 5 minutes. */
  readonly nonceMs?: number;
  /** Messages that a channel takes within five seconds. Default: any number. */
  readonly perFiveSeconds?: number;
  readonly heartbeatMs?: number;
}

/** A server that speaks Discord's REST API and gateway on loopback, with one bot in one server, and the people there. */
export interface DiscordFake {
  readonly token: string;
  /** What DISCORD_API_ROOT takes. */
  readonly apiRoot: string;
  /** In hexadecimal. */
  readonly publicKey: string;
  readonly me: string;
  readonly guild: string;
  /** The role that the server made for the bot. */
  readonly role: string;
  readonly gateway: Gateway;
  readonly requests: readonly RequestEntry[];
  person(name: string): Person;
  /** A text channel of the server; a forum; a thread in a channel, or a post in a forum. */
  channel(name: string): string;
  forum(name: string): string;
  thread(parent: string, name: string): string;
  /** Another bot writes. */
  botSays(channel: string, content: string): Message;
  /** All messages of a channel in their order, as they are now. */
  messages(channel: string): readonly Message[];
  interactions(): readonly InteractionEntry[];
  commands(): readonly Readonly<Record<string, unknown>>[];
  /** Interactions go to this address from now on; undefined: through the gateway. */
  endpoint(url: string | undefined): void;
  /** Headers and body of a request that Discord would sign, at a time in milliseconds. */
  signed(body: string, at?: number): Readonly<Record<string, string>>;
  /** The message's dispatch once more. */
  redeliver(message: string): void;
  fault(fault: Fault): void;
  close(): Promise<void>;
}

export const discordToken = "MTAwMDAwMDAwMDAwMDAwMDAwMQ.GfAkEt.fake-token-of-the-test-bot";

export async function startDiscordFake(options: DiscordFakeOptions = {}): Promise<DiscordFake> {
  const token = options.token ?? discordToken;
  const contentAllowed = options.contentAllowed ?? true;
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const hex = publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("hex");
  const world = createWorld();
  const gatewayUrl = () => `${world.root.replace("http:", "ws:")}/gateway`;
  const heartbeatMs = options.heartbeatMs ?? 41_250;
  const gateway = createGateway({ world, token, url: gatewayUrl, contentAllowed, heartbeatMs });
  const nonceMs = options.nonceMs ?? 300_000;
  const { perFiveSeconds } = options;
  const rest = createRest({ world, token, gatewayUrl, publicKey: hex, contentAllowed, nonceMs, perFiveSeconds });
  world.onDispatch = gateway.dispatch;
  let endpoint: string | undefined;

  const server = createServer({ keepAliveTimeout: 65_000, requestTimeout: 0 }, (request, response) => {
    if (rest.serve(request, response)) return;
    const [, id = ""] = /^\/cdn\/\d+\/(\d+)\//.exec(request.url ?? "") ?? [];
    const file = world.files.get(id);
    if (file === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": file.content_type ?? "application/octet-stream" }).end(file.bytes);
  });
  server.on("upgrade", gateway.upgrade);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  world.root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const signed = (body: string, at = Date.now()) => {
    const time = String(Math.floor(at / 1_000));
    const signature = sign(null, Buffer.from(time + body), privateKey).toString("hex");
    return { "content-type": "application/json", "x-signature-ed25519": signature, "x-signature-timestamp": time };
  };

  const carry: Carry = async (interaction, entry) => {
    if (endpoint === undefined) {
      return gateway.dispatch("INTERACTION_CREATE", interaction, interaction["guild_id"] as string | undefined);
    }
    const body = JSON.stringify(interaction);
    const response = await fetch(endpoint, { method: "POST", headers: signed(body), body }).catch(() => undefined);
    if (response?.status === 200) respond(world, entry, await response.json());
    else await response?.body?.cancel();
  };

  function addChannel(type: number, name: string, parent?: string): string {
    const under = parent === undefined ? {} : { parent_id: parent };
    const channel: Channel = {
      id: world.nextId(),
      type,
      guild_id: world.guild.id,
      name,
      last_message_id: null,
      ...under,
    };
    world.channels.set(channel.id, channel);
    const created = type === 11 ? { ...channel, newly_created: true } : channel;
    world.onDispatch(type === 11 ? "THREAD_CREATE" : "CHANNEL_CREATE", created, world.guild.id);
    return channel.id;
  }

  const other = {
    id: world.nextId(),
    username: "other-bot",
    global_name: null,
    discriminator: "1",
    avatar: null,
    bot: true,
  };

  return {
    token,
    apiRoot: `${world.root}/api`,
    publicKey: hex,
    me: world.me.id,
    guild: world.guild.id,
    role: world.guild.role,
    gateway,
    requests: rest.log,
    person: (name) => createPerson(world, name, carry),
    channel: (name) => addChannel(0, name),
    forum: (name) => addChannel(15, name),
    thread: (parent, name) => addChannel(11, name, parent),
    botSays(channel, content) {
      const mentions = mentionedIn(world, content);
      return world.add({ channel_id: channel, author: other, content, mentions });
    },
    messages: (channel) => world.in(channel),
    interactions: () => [...world.interactions.values()],
    commands: () => world.commands,
    endpoint: (url) => (endpoint = url),
    signed,
    redeliver(id) {
      const message = world.messages.get(id);
      if (message === undefined) throw new Error(`no message ${id}`);
      gateway.dispatch("MESSAGE_CREATE", world.shape(message, true), world.channels.get(message.channel_id)?.guild_id);
    },
    fault: (fault) => void rest.faults.push({ ...fault, left: fault.times ?? 1 }),
    async close() {
      gateway.close();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Monotonic milliseconds, as the fake's entries have them. */
export const discordNow = (): number => performance.now();
