import { InputError } from "../../../src/errors.ts";

export type Trouble = "past" | "far" | "often" | "never" | "zone" | "time" | "rule";

/** What is asked for cannot be. Its message is for a model; who speaks to people has words for each `trouble`. */
export class ScheduleError extends InputError {
  readonly trouble: Trouble;

  constructor(trouble: Trouble, message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.trouble = trouble;
  }
}
