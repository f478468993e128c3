import { daprContract } from "./runtime-dapr.ts";

await daprContract("redis", "redis");
