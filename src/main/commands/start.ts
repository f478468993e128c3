import { systemClock } from "../clock.ts";
import { loadConfig, type Config } from "../config.ts";
import { accountsOf } from "../accounts.ts";
import { endOnSignals } from "../ends.ts";
import { openGateway } from "../gateway.ts";
import { createLog } from "../log.ts";
import { describeAccess, exposedAdvice } from "../policies.ts";
import type { Role } from "../roles.ts";
import { returnMemoryWhenIdle } from "../memory.ts";
import { buildPage } from "../../../channels/web/page/build.ts";

/** Runs until SIGTERM or SIGINT; a second signal ends it at once. */
export async function start(role: Role): Promise<void> {
  const config = await loadConfig();
  if (config.runtime === "embedded" && role !== "all")
    throw new Error(`--role ${role} wants other processes beside it: set ASCENT_RUNTIME=dapr, or leave --role out.`);
  const log = createLog(config.logLevel);
  if (accountsOf(config).some(({ name }) => name === "web")) {
    await buildPage({ log: { info: (message) => log.info({}, message) } });
  }
  const gateway = await openGateway({ config, clock: systemClock, log, role });
  returnMemoryWhenIdle(systemClock);
  const ends = endOnSignals(log, () => gateway.stop());
  try {
    await gateway.start();
    await gateway.ready();
  } catch (error) {
    await gateway.stop();
    throw error;
  }
  if (!ends.begun()) announce(config, gateway.url);
}

/** The usual account goes without a name. */
function shortOf(account: string): string {
  return account.replace(/\/main$/, "");
}

function announce(config: Config, url: string): void {
  const { spec, because } = config.model;
  const channels = accountsOf(config).map(({ name, account }) => shortOf(`${name}/${account}`));
  const access = describeAccess(config);
  const exposed = access.filter((one) => one.exposed).map(({ account }) => shortOf(account));
  const data = config.runtime === "dapr" ? "Dapr's state store" : config.data;
  const lines = [
    "",
    `  Ascent is ready: ${url}`,
    "",
    `  model     ${spec} (${because})`,
    `  channels  ${channels.join(", ")}`,
    ...access.map(({ account, text }, at) => `  ${at === 0 ? "access" : "      "}    ${shortOf(account)}: ${text}`),
    `  data      ${data}`,
    ...(config.file === undefined ? [] : [`  settings  ${config.file}`]),
    ...(exposed.length === 0
      ? []
      : [
          "",
          `  WARNING   everybody may write to ${exposed.join(", ")} at a public address.`,
          `            ${exposedAdvice}`,
        ]),
    "",
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
