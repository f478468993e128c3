import { shortKills } from "./kills.ts";
import { faultTests } from "./short.ts";

await faultTests([shortKills(["redis", "redis"])], { users: 16, pauseMs: 2_000 });
