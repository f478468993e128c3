import { channelContract, replay } from "./channel.ts";
import { hostile, makeDiscord, read } from "./discord.ts";

channelContract({
  name: "discord",
  channel: "discord",
  make: makeDiscord,
  genuine: replay("discord"),
  read,
  hostile,
  deviations: {},
});
