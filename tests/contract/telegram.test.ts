import { channelContract } from "./channel.ts";
import { contracts } from "./telegram.ts";

for (const contract of contracts) channelContract(contract);
