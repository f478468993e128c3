import { replicaRestarts } from "./kills.ts";
import { combinations } from "./scenarios.ts";
import { faultTests } from "./short.ts";

await faultTests(combinations.map(replicaRestarts), { users: 8, pauseMs: 1_500 });
