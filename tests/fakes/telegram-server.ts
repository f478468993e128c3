import { parseArgs } from "node:util";
import { announce } from "./http.ts";
import { DEFAULT_TOKEN, startTelegramFake } from "./telegram.ts";

/** The Telegram fake as its own process: `node tests/fakes/telegram-server.ts [--port n] [--token t]… [--limits]`. */
const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    token: { type: "string", multiple: true, default: [DEFAULT_TOKEN] },
    seed: { type: "string", default: "1" },
    limits: { type: "boolean", default: false },
    "webhook-retry-unit-ms": { type: "string", default: "1000" },
  },
});

announce(
  await startTelegramFake({
    port: Number(values.port),
    bots: values.token.map((token) => ({ token })),
    seed: Number(values.seed),
    limits: values.limits,
    webhookRetryUnitMs: Number(values["webhook-retry-unit-ms"]),
  }),
);
