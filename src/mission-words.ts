/** What an agent is told of a mission. Words of others are data, on one line each; the last line is the gateway's own. */
import { clip, type MissionState } from "./mission.ts";

const longestReport = 13_000;
const longestGoal = 1_500;
const longestTitle = 120;
const longestQuestion = 8_000;
/** Of a step's line, without what came of it. */
const longestHead = 130;
const shortestResult = 200;

export function reportOf(id: string, { plan, steps, because }: MissionState): string {
  const each = Math.max(Math.floor(longestReport / plan.steps.length) - longestHead, shortestResult);
  const lines = plan.steps.map((step) => {
    const { is, text } = steps[step.id] ?? { is: "skipped" };
    const how = because !== undefined && is !== "done" && is !== "failed" ? "not done" : is;
    return `- ${step.id} (${whatOf(step)}): ${how}${text === undefined ? "" : `: ${asLine(text, each)}`}`;
  });
  const failed = Object.values(steps).some(({ is }) => is === "failed" || is === "skipped");
  const end =
    because === undefined
      ? failed
        ? "it has ended, and not all of it succeeded"
        : "it is completed"
      : `it was ended: ${because === "lost" ? "a failure of the gateway's own has lost it" : because}`;
  return [`Goal: ${asLine(plan.goal, longestGoal)}`, ...lines, closingOf(id, plan.title, end)].join("\n");
}

/** A step's task asks. */
export function questionOf(id: string, title: string, step: string, question: string): string {
  const how = `it asks, in step ${JSON.stringify(step)}, and goes on when it is answered`;
  return [asLine(question, longestQuestion), closingOf(id, title, how)].join("\n");
}

const closingOf = (id: string, title: string, how: string): string =>
  `(mission ${JSON.stringify(id)} ${asLine(title, longestTitle)}: ${how})`;

/** As JSON that has no line break of any kind, and about as many characters at most. */
function asLine(text: string, most: number): string {
  const line = JSON.stringify(text).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
  if (line.length <= most + 2) return line;
  const shorter = Math.min(most, Math.floor(text.length * (most / line.length)));
  return asLine(clip(text, shorter), most);
}

function whatOf(step: MissionState["plan"]["steps"][number]): string {
  if (step.do === "delegate") return `the agent ${step.agent}`;
  return step.do === "ask" ? "asked the person" : "waited";
}
