import { array, flag, integer, text } from "../params.ts";
import { badRequest, type Params } from "../types.ts";
import { RawJson, type Method } from "./method.ts";

/** "Getting updates". */
const getUpdates: Method = async ({ world, gone }, params) => {
  world.updates.allow(allowedUpdates(params));
  const offset = integer(params, "offset");
  const limit = integer(params, "limit", 100, 1, 100);
  const timeoutMs = integer(params, "timeout", 0, 0, 50) * 1_000;
  return new RawJson(await world.updates.get({ offset, limit, timeoutMs, gone }));
};

const setWebhook: Method = (context, params) => {
  const url = text(params, "url");
  if (url === "") return deleteWebhook(context, params);
  const secret = text(params, "secret_token");
  if (!/^[\w-]{0,256}$/.test(secret)) throw badRequest("secret token contains unallowed characters");
  checkUrl(url);
  const { updates } = context.world;
  if (flag(params, "drop_pending_updates")) updates.dropPending();
  updates.allow(allowedUpdates(params));
  updates.setWebhook({
    url,
    secret,
    maxConnections: integer(params, "max_connections", 40, 1, 100),
    answered: context.runAnswer,
    retryUnitMs: context.webhookRetryUnitMs,
    timeoutMs: context.webhookTimeoutMs,
  });
  return true;
};

const deleteWebhook: Method = ({ world }, params) => {
  if (flag(params, "drop_pending_updates")) world.updates.dropPending();
  world.updates.setWebhook(undefined);
  return true;
};

const getWebhookInfo: Method = ({ world }) => {
  const info = world.updates.webhook.info();
  const allowed = world.updates.allowed();
  return {
    url: info?.url ?? "",
    has_custom_certificate: false,
    pending_update_count: world.updates.pendingCount(),
    ...(info === undefined ? {} : { max_connections: info.maxConnections, ip_address: "127.0.0.1" }),
    ...(info?.lastErrorDate === undefined
      ? {}
      : { last_error_date: info.lastErrorDate, last_error_message: info.lastErrorMessage }),
    ...(allowed.length === 0 ? {} : { allowed_updates: allowed }),
  };
};

function allowedUpdates(params: Params): string[] | undefined {
  return array(params, "allowed_updates")?.map(String);
}

/** Telegram demands HTTPS; the fake also takes plain HTTP to loopback, which is where tests listen. */
function checkUrl(url: string): void {
  const parsed = URL.parse(url);
  if (parsed === null) throw badRequest("invalid webhook URL specified");
  if (parsed.protocol !== "http:" || !/^(?:127\.0\.0\.1|localhost|\[::1\])$/.test(parsed.hostname)) {
    throw badRequest("bad webhook: the fake posts to http on loopback only (Telegram: An HTTPS URL must be provided)");
  }
}

export const updateMethods: Readonly<Record<string, Method>> = {
  getupdates: getUpdates,
  setwebhook: setWebhook,
  deletewebhook: deleteWebhook,
  getwebhookinfo: getWebhookInfo,
};
