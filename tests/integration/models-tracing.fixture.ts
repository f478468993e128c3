/** Runs one turn on a model at argv[2] and prints the hosts of every connection tried meanwhile. */
import diagnostics from "node:diagnostics_channel";
import { Socket } from "node:net";
import { createModels } from "../../adapters/models/index.ts";
import { createClientAgent } from "../../agents/client/index.ts";
import { clientAgentSettings } from "../../agents/client/settings.ts";
import { hooks, memoryBlobs, quiet, testClock, turn } from "../unit/client-agent.fixture.ts";

const hosts: string[] = [];
// undici, which the SDK's own exporter uses, announces its requests before it resolves a name.
diagnostics.subscribe("undici:request:create", (event) => {
  hosts.push(new URL(String((event as { request: { origin: unknown } }).request.origin)).hostname);
});
const connect = Socket.prototype.connect;
Socket.prototype.connect = function observed(this: Socket, ...args: unknown[]) {
  const first = (Array.isArray(args[0]) ? args[0][0] : args[0]) as { host?: string };
  const host = first.host ?? "?";
  hosts.push(host);
  // Seen is enough: the test itself sends nothing to anybody.
  if (host !== "127.0.0.1") {
    setImmediate(() => this.destroy(new Error("not let out")));
    return this;
  }
  return Reflect.apply(connect, this, args) as Socket;
};

const [, , baseURL = "", tracing] = process.argv;
const apiKey = process.env["OPENAI_API_KEY"];
const clock = testClock();
const traced = tracing === "true";
const settings = { apiKeys: { openai: apiKey }, baseURLs: { openai: baseURL }, tracing: traced };
const models = createModels(settings, { clock });
const of = { models, clock, blobs: memoryBlobs(), log: quiet, tracing: models.tracing };
const agent = createClientAgent(clientAgentSettings.parse({ model: "openai:fake-model" }), of);
await agent.run(turn(["hi"]), hooks());
await agent.run(turn(["hi"]), hooks({ onText: () => {} }));
// The SDK's exporter sends every five seconds.
await new Promise((resolve) => setTimeout(resolve, 6_000));
process.stdout.write(JSON.stringify(hosts), () => process.exit(0));
