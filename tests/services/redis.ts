import { redisEnvironment, startRedis as start } from "../../src/main/dapr/redis.ts";
import { needs } from "../needs.ts";
import { newFolder, silent, testService, type ServiceOptions, type TestService } from "./service.ts";

export interface RedisService extends TestService {
  readonly url: string;
}

/** As `npm run dapr` starts it: all that it has acknowledged survives a SIGKILL. */
export async function startRedis({ log = silent }: ServiceOptions = {}): Promise<RedisService> {
  const folder = await newFolder("redis");
  const redis = await start({ command: needs("redis-server").path, folder, log });
  return Object.assign(testService(redis, redisEnvironment(redis.url), { folder }), { url: redis.url });
}
