/** The code under test as it stands in `src/`. */
import { createCore } from "../../src/core.ts";
import { createDelegations } from "../../src/delegation.ts";
import { withLocalPush } from "../../src/delegation-push.ts";
import { createEffects } from "../../src/effects.ts";
import * as errors from "../../src/errors.ts";
import { createTaskHost } from "../../src/task-host.ts";
import type { Subject } from "./world.ts";

export const subject: Subject = { createCore, createEffects, createDelegations, createTaskHost, withLocalPush, errors };
