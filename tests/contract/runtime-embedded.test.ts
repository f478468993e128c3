import { restartingEmbedded } from "./restarting.ts";
import { runtimeContract } from "./runtime.ts";

runtimeContract({ name: "the embedded runtime", concurrent: true, make: restartingEmbedded });
