import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePorts } from "../../src/main/dapr/ports.ts";
import { replies, startService } from "../../src/main/dapr/processes.ts";
import { needs } from "../needs.ts";
import { host, newFolder, silent, testService, type ServiceOptions, type TestService } from "./service.ts";

export interface RabbitService extends TestService {
  /** amqp://… of its only user. */
  readonly url: string;
}

/** A node of its own name, with a name server of its own, so that it meets no other RabbitMQ of this machine. */
export async function startRabbit({ log = silent }: ServiceOptions = {}): Promise<RabbitService> {
  const command = needs("rabbitmq-server").path;
  const folder = await newFolder("rabbitmq");
  const [port = 0, distribution = 0, names = 0] = await freePorts(3);
  await writeFile(
    join(folder, "rabbitmq.conf"),
    `listeners.tcp.1 = ${host}:${port}\ndisk_free_limit.absolute = 50MB\nlog.console.level = warning\n`,
  );
  await writeFile(join(folder, "enabled_plugins"), "[].\n");
  const env = { PATH: process.env["PATH"] ?? "", HOME: folder, ERL_EPMD_PORT: String(names), ERL_EPMD_ADDRESS: host };
  const epmd = await startService({
    name: "epmd",
    command: needs("epmd").path,
    args: [],
    env,
    healthy: () => replies(names, "", ""),
    log,
  });
  const service = await startService({
    name: "rabbitmq",
    command,
    args: [],
    cwd: folder,
    env: {
      ...env,
      RABBITMQ_NODENAME: `ascent${port}@localhost`,
      RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
      RABBITMQ_CONF_ENV_FILE: join(folder, "absent"),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "enabled_plugins"),
      RABBITMQ_MNESIA_BASE: join(folder, "data"),
      RABBITMQ_LOG_BASE: folder,
      RABBITMQ_LOGS: "-",
      RABBITMQ_DIST_PORT: String(distribution),
      RABBITMQ_PID_FILE: join(folder, "pid"),
      // Two cores are shared with everything else.
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "+S 1 +sbwt none +sbwtdcpu none +sbwtdio none",
      // Its script replaces itself by the server: signals reach the server itself.
      RUNNING_UNDER_SYSTEMD: "true",
    },
    healthy: () => replies(port, "AMQP\0\0\x09\x01", "\x01"),
    log,
  });
  const url = `amqp://guest:guest@${host}:${port}/`;
  return Object.assign(testService(service, { RABBITMQ_URL: url }, { folder, others: [epmd] }), { url });
}
