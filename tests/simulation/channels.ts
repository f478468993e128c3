/** The channel inside a process: carries requests to the platform and its replies back, both of which take time. */
import type { Channel, Traits } from "../../src/channel.ts";
import type { ChannelPlan } from "./plan.ts";
import type { Platform } from "./platform.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

export function channelsOf(world: World, platform: Platform, process: Process): Channel[] {
  return world.plan.channels.map((channel) => ({
    tenant: "t",
    channel: channel.name,
    account: "a",
    traits: traitsOf(channel),
    dialect: { render: (markdown) => markdown, escape: (text) => text, measure: (rendered) => rendered.length },
    ...(channel.lively ? lively(world, process) : {}),
    send: sender(world, platform, process, channel),
    reach() {
      throw new TypeError("everybody here is known by their address");
    },
  }));
}

function traitsOf({ order, idempotentMs, buttons, lively: shows }: ChannelPlan): Traits {
  return {
    order,
    text: { max: 4_096 },
    caption: { max: 1_024 },
    media: {},
    location: false,
    replies: true,
    receipts: false,
    ...(idempotentMs === undefined ? {} : { idempotentMs }),
    ...(buttons ? { buttons: { max: 10, label: 64, id: 64 } } : {}),
    ...(shows ? { typingMs: 4_000, preview: { everyMs: 1_000, in: ["direct"] as const } } : {}),
  };
}

function lively(world: World, process: Process): Required<Pick<Channel, "typing" | "preview">> {
  const random = world.streams(`typing of ${process.slot}`);
  const wait = () => new Promise<void>((resolve) => void process.schedule(random.between(5, 50), resolve));
  return {
    typing: async () => {
      await wait();
      if (random.chance(0.1)) throw new world.subject.errors.RetryableError("typing failed");
    },
    preview: wait,
  };
}

function sender(world: World, platform: Platform, process: Process, channel: ChannelPlan): Channel["send"] {
  const { loop, faults } = world;
  const random = world.streams(`sends of ${process.slot} to ${channel.name}`);

  return (part, context) =>
    new Promise((resolve, reject) => {
      const conversation = platform.nameOf(context.to);
      const step = faults.take("operation", ({ operation }) => operation === "send");
      const fault = faults.take("send", (candidate) => candidate.conversation === conversation);
      const slow = (step?.how === "slow" ? step.forMs : 0) + (fault?.how === "slow" ? fault.forMs : 0);
      // Slow to take it, or slow to say so.
      const late = random.chance(0.5);
      const arrival = loop.now() + random.between(5, 150) + (late ? slow : 0);
      const outlives = random.chance(0.5);
      if (step?.how === "crash before") return process.schedule(arrival - loop.now(), () => process.crash(step.forMs));
      context.signal.addEventListener("abort", () => reject(context.signal.reason as Error));
      loop.at(arrival, () => {
        if (!process.alive && !outlives) return;
        const { taken, reply } = platform.respond({ process, channel, conversation, part, context, fault });
        if (taken !== undefined && context.signal.aborted) taken.tooLate = true;
        if (step?.how === "crash after") return process.crash(step.forMs);
        process.schedule(random.between(5, 150) + (late ? 0 : slow), () => {
          if (context.signal.aborted) return;
          try {
            resolve(reply());
          } catch (error) {
            reject(error);
          }
        });
      });
    });
}
