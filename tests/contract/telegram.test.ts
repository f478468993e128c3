import { channelContract, replay } from "./channel.ts";
import { hostile, makeTelegram, read } from "./telegram.ts";

const genuine = replay("telegram");

channelContract({
  name: "telegram by polling",
  channel: "telegram",
  make: () => makeTelegram("polling"),
  genuine,
  read,
  hostile,
  deviations: {
    "has the same id when the platform delivers it again":
      "Telegram redelivers by polling only what was not confirmed: see the next process that takes over",
    "without the platform's signature are refused and nothing comes in": "a bot that polls answers no requests",
    "that are no events are refused for good; those that come too soon may come back":
      "a bot that polls answers no requests",
  },
});

channelContract({
  name: "telegram by webhook",
  channel: "telegram",
  make: () => makeTelegram("webhook"),
  genuine,
  read,
  hostile,
  deviations: {},
});
