/** The code under test as it stands in `src/`. */
import { createCore } from "../../src/core.ts";
import { createEffects } from "../../src/effects.ts";
import * as errors from "../../src/errors.ts";
import type { Subject } from "./world.ts";

export const subject: Subject = { createCore, createEffects, errors };
