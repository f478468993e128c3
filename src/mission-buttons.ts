/** The buttons under a mission's question to the person: a press is a message like any other, and has a turn of the gateway's own. */
import type { InboundMessage } from "./message.ts";

export interface MissionPress {
  readonly mission: string;
  /** The step's place in the plan. */
  readonly step: number;
  readonly asked: string;
  /** Which of the options. */
  readonly option: number;
}

const pattern = /^mission:([\w-]{11}):(\d{1,2}):([\w-]{1,11}):(\d)$/;

export function buttonOf({ mission, step, asked, option }: MissionPress): string {
  return `mission:${mission}:${step}:${asked}:${option}`;
}

/** Undefined for any other message. */
export function missionPressOf({ message }: InboundMessage): MissionPress | undefined {
  const [part] = message.parts;
  const [, mission, step, asked, option] = (part?.kind === "press" && pattern.exec(part.button)) || [];
  if (mission === undefined || asked === undefined) return undefined;
  return { mission, step: Number(step), asked, option: Number(option) };
}
