import { parseArgs } from "node:util";
import { announce } from "./http.ts";
import { startOpenAiFake } from "./openai.ts";

/** The OpenAI fake as its own process: `node tests/fakes/openai-server.ts [--port n] [--latency-ms n] [--tokens-per-second n]`. */
const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    "latency-ms": { type: "string", default: "0" },
    "tokens-per-second": { type: "string", default: "0" },
  },
});

announce(
  await startOpenAiFake({
    port: Number(values.port),
    latencyMs: Number(values["latency-ms"]),
    tokensPerSecond: Number(values["tokens-per-second"]),
  }),
);
