import { sample } from "../sample-channel/index.ts";
import { parse } from "../sample-channel/parse.ts";
import { sampleSettings } from "../sample-channel/settings.ts";
import { sign } from "../sample-channel/verify.ts";
import type { Channel } from "../../src/channel.ts";
import { channelContract, replay } from "./channel.ts";
import { secret, signed, startSamplePlatform } from "./sample.ts";

channelContract({
  name: "sample",
  channel: "sample",
  async make() {
    let channel: Channel | undefined;
    const platform = await startSamplePlatform(async (request) => {
      const answered = await channel?.handle?.(request);
      if (answered === undefined) throw new Error("nobody listens");
      return answered;
    });
    return {
      secrets: [secret],
      chat: "c1",
      async start(deps) {
        const made = sample(sampleSettings.parse({ secret, url: platform.url }), deps);
        channel = made;
        platform.box.resume();
        const stop = async () => {
          await platform.box.pause();
          channel = undefined;
        };
        return { channel: made, stop };
      },
      says: async (text) => ({ id: platform.says(text) }),
      redelivers: ({ id }) => platform.box.again(id),
      acknowledged: async ({ id }) => platform.box.accepted(id),
      shown: async () => platform.shown,
      signs: async () => ({ typing: 0, previews: [] }),
      refuses: async (how) => void platform.refusals.push(how),
      requests: {
        genuine: (payload) => signed(payload),
        forged: (payload) => ({
          missing: signed(payload, null),
          empty: signed(payload, ""),
          "of another secret": signed(payload, sign(JSON.stringify(payload), "another secret")),
          "cut off": signed(payload, sign(JSON.stringify(payload), secret).slice(0, -2)),
          "of another body": signed(payload, sign(`${JSON.stringify(payload)} `, secret)),
        }),
      },
      close: platform.close,
    };
  },
  genuine: replay("sample"),
  read: (payload, account) => parse(account, Buffer.from(JSON.stringify(payload)), Date.now()),
  hostile: ({ chat, user }) => ({ id: "1", chat, from: { id: user }, text: "x" }),
  deviations: {
    "reports delivery": "the platform has no receipts",
    "that nobody can read is set aside visibly and blocks nothing": "the platform's operator is told with 400",
    "and can never be accepted is set aside visibly and blocks nothing": "the platform's operator is told with 422",
    "can be a file, whose bytes can be fetched and are bounded": "the platform carries text only",
    "has buttons whose press comes back with the same id": "the platform has no buttons",
  },
});
