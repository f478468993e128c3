import { daprContract } from "./runtime-dapr.ts";

await daprContract("kafka", "postgresql");
