import { createRoute, z } from "@hono/zod-openapi";
import type { missionActs } from "../../../src/operations.ts";
import { consolePath as base } from "../settings.ts";
import { acted, common, id, json, limitOf, notFound, refusals, refusedNow, time } from "./parts.ts";

const mission = z
  .object({
    id: z.string(),
    title: z.string(),
    conversation: z.string(),
    agentName: z.string().openapi({ description: "The agent that began it" }),
    at: time,
    open: z.boolean(),
  })
  .openapi("Mission");
const missionDetails = mission
  .extend({
    status: z.enum(["running", "paused", "ended"]),
    steps: z.array(z.object({ id: z.string(), do: z.string(), is: z.string() })),
  })
  .openapi("MissionDetails");

const actOn = (name: (typeof missionActs)[number], summary: string) =>
  createRoute({
    method: "post",
    path: `${base}/missions/{id}/${name}`,
    tags: ["Missions"],
    summary,
    ...common,
    request: id,
    responses: { 202: json(acted, "It is durable"), ...notFound, ...refusedNow, ...refusals },
  });

export const missionRoutes = {
  missions: createRoute({
    method: "get",
    path: `${base}/missions`,
    tags: ["Missions"],
    summary: "Those that are open, the newest first, then those that have ended",
    ...common,
    request: { query: z.object({ limit: limitOf(1_000, 100) }) },
    responses: {
      200: json(z.object({ missions: z.array(mission) }), "Missions, without what came of them"),
      ...refusals,
    },
  }),
  mission: createRoute({
    method: "get",
    path: `${base}/missions/{id}`,
    tags: ["Missions"],
    summary: "One, and how its steps stand",
    ...common,
    request: id,
    responses: { 200: json(missionDetails, "The mission"), ...notFound, ...refusals },
  }),
  pauseMission: actOn("pause", "Begin no step of it until it is resumed; tasks that are under way go on"),
  resumeMission: actOn("resume", "Let it go on"),
  cancelMission: actOn("cancel", "End it, and cancel the tasks that are under way for it; the person is told"),
};
