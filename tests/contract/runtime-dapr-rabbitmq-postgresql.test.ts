import { daprContract } from "./runtime-dapr.ts";

await daprContract("rabbitmq", "postgresql");
