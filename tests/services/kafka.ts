import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { freePorts } from "../../src/main/dapr/ports.ts";
import { replies, startService } from "../../src/main/dapr/processes.ts";
import { needs } from "../needs.ts";
import { host, newFolder, silent, testService, type ServiceOptions, type TestService } from "./service.ts";

export interface KafkaService extends TestService {
  /** host:port */
  readonly brokers: string;
}

const version = "4.1.0";
const run = promisify(execFile);

/** One node that is broker and controller. Topics come with their first use, of 32 partitions. */
export async function startKafka({ log = silent }: ServiceOptions = {}): Promise<KafkaService> {
  const java = needs("java").path;
  const classPath = join(await jars(), "*");
  const folder = await newFolder("kafka");
  const [port = 0, controller = 0] = await freePorts(2);
  const settings = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@${host}:${controller}`,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    listeners: `PLAINTEXT://${host}:${port},CONTROLLER://${host}:${controller}`,
    "advertised.listeners": `PLAINTEXT://${host}:${port}`,
    "log.dirs": join(folder, "data"),
    "num.partitions": 32,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    // A killed broker comes back under its own id only when its old session is over.
    "broker.session.timeout.ms": 2_000,
    "broker.heartbeat.interval.ms": 500,
    "group.initial.rebalance.delay.ms": 0,
  };
  const file = join(folder, "server.properties");
  await writeFile(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(""),
  );
  const small = [
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
  ];
  const cluster = randomBytes(16).toString("base64url");
  await run(java, [...small, "-cp", classPath, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", file]);
  const service = await startService({
    name: "kafka",
    command: java,
    args: [...small, "-cp", classPath, "kafka.Kafka", file],
    cwd: folder,
    env: {},
    // ApiVersions, version 0, correlation 1: the answer is longer than 255 bytes, whatever it says.
    healthy: () => replies(port, "\0\0\0\x0a\0\x12\0\0\0\0\0\x01\0\0", "\0\0"),
    log,
  });
  const brokers = `${host}:${port}`;
  return Object.assign(testService(service, { KAFKA_BROKERS: brokers }, { folder }), { brokers });
}

/** Kafka from Maven's repository, kept for the next run. Two calls at once fetch twice, and the first wins. */
async function jars(): Promise<string> {
  const cache = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "ascent/kafka", version);
  if (existsSync(cache)) return cache;
  await mkdir(dirname(cache), { recursive: true });
  const folder = await mkdtemp(`${cache}-`);
  await writeFile(join(folder, "pom.xml"), pom);
  const into = join(folder, "jars");
  await run(needs("mvn").path, ["-q", "-B", "-f", folder, "dependency:copy-dependencies", `-DoutputDirectory=${into}`]);
  await rename(into, cache).catch((error: unknown) => {
    if (!existsSync(cache)) throw error;
  });
  await rm(folder, { recursive: true, force: true });
  return cache;
}

const pom = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>ascent</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${version}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`;
