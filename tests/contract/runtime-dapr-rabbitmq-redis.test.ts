import { daprContract } from "./runtime-dapr.ts";

await daprContract("rabbitmq", "redis");
