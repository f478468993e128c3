import { channelContract } from "./channel.ts";
import { contracts } from "./discord.ts";

for (const contract of contracts) channelContract(contract);
