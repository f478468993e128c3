/** The contract suite's ports, and a real server, for the tests of the channels that speak HTTP. */
import { createServer, type HttpServer } from "../../adapters/http/index.ts";
import type { ChannelDeps, HttpHandler } from "../../src/channel.ts";
import type { InboundEvent } from "../../src/message.ts";
import type { Log } from "../../src/ports.ts";
import { probe } from "../contract/channel-deps.ts";

export interface TestDeps extends ChannelDeps {
  readonly accepted: InboundEvent[];
  /** Thrown by the next accepts while set. */
  fail: Error | undefined;
  /** Thrown to whoever asks to be let in while set. */
  denial: Error | undefined;
  readonly logged: string[];
}

export function testDeps(channel: string, given: Partial<ChannelDeps> = {}): TestDeps {
  const seen = probe({ tenant: "default", channel, account: "main" });
  const deps: TestDeps = {
    ...seen.deps,
    accepted: seen.accepted,
    logged: seen.lines,
    fail: undefined,
    denial: undefined,
    inbound: {
      ...seen.deps.inbound,
      async accept(events) {
        if (deps.fail !== undefined) throw deps.fail;
        await seen.deps.inbound.accept(events);
      },
      async admit() {
        if (deps.denial !== undefined) throw deps.denial;
      },
      hears: async () => deps.denial === undefined,
    },
    publicUrl: undefined,
    ...given,
  };
  return deps;
}

export async function serveChannels(
  channels: readonly HttpHandler[],
  log: Log,
): Promise<{ readonly server: HttpServer; readonly url: string; readonly port: number }> {
  const server = createServer({ host: "127.0.0.1", port: 0, channels, health: () => undefined, log });
  return { server, ...(await server.listen()) };
}
