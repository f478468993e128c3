/** The operators' HTTP API, from which its OpenAPI document is made. */
import { approvalRoutes } from "./routes/approvals.ts";
import { channelRoutes } from "./routes/channels.ts";
import { deadLetterRoutes } from "./routes/dead-letters.ts";
import { doctorRoutes } from "./routes/doctor.ts";
import { feedbackRoutes } from "./routes/feedback.ts";
import { journalRoutes } from "./routes/journal.ts";
import { messageRoutes } from "./routes/messages.ts";
import { missionRoutes } from "./routes/missions.ts";
import { pairingRoutes } from "./routes/pairing.ts";
import { takeoverRoutes } from "./routes/takeovers.ts";
import { usageRoutes } from "./routes/usage.ts";
import { webhookRoutes } from "./routes/webhooks.ts";

export const routes = {
  ...pairingRoutes,
  ...approvalRoutes,
  ...takeoverRoutes,
  ...missionRoutes,
  ...feedbackRoutes,
  ...deadLetterRoutes,
  ...journalRoutes,
  ...messageRoutes,
  ...usageRoutes,
  ...webhookRoutes,
  ...channelRoutes,
  ...doctorRoutes,
};
