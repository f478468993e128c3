import { limited, refusal, unknown, type Answer, type Asked, type Route } from "./answers.ts";
import type { Message } from "./types.ts";
import type { World } from "./world.ts";

/** Channels' messages: written, changed, deleted, listed. */
export function createMessageRoutes(world: World, nonceMs: number, perFiveSeconds: number | undefined): Route {
  const nonces = new Map<string, { readonly id: string; readonly at: number }>();
  const written = new Map<string, number[]>();

  /** As Discord tells before it refuses. */
  function bucket(channel: string): { headers: Record<string, string>; wait: number } {
    if (perFiveSeconds === undefined) return { headers: {}, wait: 0 };
    const now = Date.now();
    const recent = (written.get(channel) ?? []).filter((at) => at > now - 5_000);
    const wait = recent.length < perFiveSeconds ? 0 : ((recent[0] ?? now) + 5_000 - now) / 1_000;
    if (wait === 0) written.set(channel, [...recent, now]);
    const remaining = Math.max(0, perFiveSeconds - recent.length - 1);
    const reset = ((recent[0] ?? now) + 5_000 - now) / 1_000;
    const headers = {
      "x-ratelimit-limit": String(perFiveSeconds),
      "x-ratelimit-remaining": String(remaining),
      "x-ratelimit-reset-after": String(reset),
      "x-ratelimit-bucket": "messages",
    };
    return { headers, wait };
  }

  function create({ body, files }: Asked, channel: string): Answer {
    const { headers, wait } = bucket(channel);
    if (wait > 0) return { ...limited(wait, false), headers: { ...headers, ...limited(wait, false).headers } };
    const nonce = typeof body["nonce"] === "string" ? body["nonce"] : undefined;
    const known = nonce === undefined ? undefined : nonces.get(`${channel}/${nonce}`);
    if (body["enforce_nonce"] === true && known !== undefined && known.at > Date.now() - nonceMs) {
      const message = world.messages.get(known.id);
      if (message !== undefined) return { status: 200, body: world.shape(message), headers };
    }
    const wrong = wrongWith(body, files.length);
    if (wrong !== undefined) return wrong;
    const reference = body["message_reference"] as { message_id?: string; fail_if_not_exists?: boolean } | undefined;
    const target = world.messages.get(reference?.message_id ?? "");
    if (reference !== undefined && target === undefined && reference.fail_if_not_exists !== false)
      return refusal(400, 50_035, "Invalid Form Body", { message_reference: { _errors: [{ code: "UNKNOWN" }] } });
    const message = world.add({
      channel_id: channel,
      author: world.me,
      content: text(body["content"]),
      type: target === undefined ? 0 : 19,
      attachments: world.attach(channel, files),
      embeds: list(body["embeds"]),
      components: list(body["components"]),
      pinged: pinged(body, target),
      ...(nonce === undefined ? {} : { nonce }),
      ...(target === undefined ? {} : { message_reference: { message_id: target.id, channel_id: channel } }),
    });
    if (nonce !== undefined) nonces.set(`${channel}/${nonce}`, { id: message.id, at: Date.now() });
    return { status: 200, body: world.shape(message, true), headers };
  }

  function history({ query }: Asked, channel: string): Answer {
    const limit = Number(query.get("limit") ?? 50);
    const after = query.get("after");
    const before = query.get("before");
    const all = world
      .in(channel)
      .filter(({ id }) => before === null || BigInt(id) < BigInt(before))
      .toSorted((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1));
    const found =
      after === null ? all.slice(-limit) : all.filter(({ id }) => BigInt(id) > BigInt(after)).slice(0, limit);
    return { status: 200, body: found.reverse().map((message) => world.shape(message)) };
  }

  return (asked) => {
    const [root, channel = "", kind, id, ...more] = asked.path;
    if (root !== "channels" || more.length > 0) return undefined;
    if (!world.channels.has(channel)) return unknown.channel;
    if (kind === "typing" && asked.method === "POST") return { status: 204 };
    if (kind !== "messages") return undefined;
    if (id === undefined) return asked.method === "POST" ? create(asked, channel) : history(asked, channel);
    const message = world.messages.get(id);
    if (message === undefined || message.deleted || message.channel_id !== channel) return unknown.message;
    if (asked.method === "GET") return { status: 200, body: world.shape(message) };
    if (asked.method === "DELETE") {
      message.deleted = true;
      world.onDispatch("MESSAGE_DELETE", deletion(world, message), world.channels.get(channel)?.guild_id);
      return { status: 204 };
    }
    if (message.author.id !== world.me.id)
      return refusal(403, 50_005, "Cannot edit a message authored by another user");
    return change(world, message, asked);
  };
}

export function deletion(world: World, { id, channel_id }: Message): unknown {
  const guild = world.channels.get(channel_id)?.guild_id;
  return { id, channel_id, ...(guild === undefined ? {} : { guild_id: guild }) };
}

/** An edit; what is not named stays. */
export function change(world: World, message: Message, { body, files }: Asked): Answer {
  const wrong = wrongWith({ content: message.content, ...body }, files.length + message.attachments.length);
  if (wrong !== undefined) return wrong;
  message.before.push(message.content);
  if (body["content"] !== undefined) message.content = text(body["content"]);
  if (body["components"] !== undefined) message.components = list(body["components"]);
  if (body["embeds"] !== undefined) message.embeds = list(body["embeds"]);
  if (files.length > 0) message.attachments = world.attach(message.channel_id, files);
  message.flags = 0;
  message.edited_timestamp = new Date().toISOString();
  const guild = world.channels.get(message.channel_id)?.guild_id;
  world.onDispatch("MESSAGE_UPDATE", world.shape(message, true), guild);
  return { status: 200, body: world.shape(message, true) };
}

const text = (value: unknown): string => (typeof value === "string" ? value : "").trim();
const list = (value: unknown): unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);
const invalid = (field: string, code: string) =>
  refusal(400, 50_035, "Invalid Form Body", { [field]: { _errors: [{ code, message: "as Discord says it" }] } });

interface Component {
  readonly type: number;
  readonly custom_id?: string;
  readonly label?: string;
  readonly url?: string;
  readonly components?: readonly Component[];
  readonly options?: readonly { readonly label: string; readonly value: string }[];
}

function wrongWith(body: Readonly<Record<string, unknown>>, files: number): Answer | undefined {
  const content = text(body["content"]);
  if (content.length > 2_000) return invalid("content", "BASE_TYPE_MAX_LENGTH");
  if (content === "" && files === 0 && list(body["embeds"]).length === 0)
    return refusal(400, 50_006, "Cannot send an empty message");
  const nonce = body["nonce"];
  if (typeof nonce === "string" && nonce.length > 25) return invalid("nonce", "NONCE_MAX_LENGTH");
  const rows = list(body["components"]) as Component[];
  const all = rows.flatMap((row) => row.components ?? []);
  const ids = all.flatMap(({ custom_id: id }) => (id === undefined ? [] : [id]));
  const isWrong =
    rows.length > 5 ||
    rows.some(({ type, components = [] }) => type !== 1 || components.length === 0 || components.length > 5) ||
    new Set(ids).size < ids.length ||
    all.some(
      ({ custom_id: id = "x", label = "x", options = [] }) =>
        id.length > 100 ||
        id === "" ||
        label.length > 80 ||
        options.length > 25 ||
        options.some((option) => option.label.length > 100 || option.value.length > 100),
    );
  return isWrong ? invalid("components", "COMPONENT_INVALID") : undefined;
}

/** Whom a message notifies: everybody it names, unless it says otherwise. */
export function pinged(body: Readonly<Record<string, unknown>>, repliedTo?: Message): string[] {
  const content = text(body["content"]);
  const allowed = body["allowed_mentions"] as
    | { parse?: string[]; users?: string[]; replied_user?: boolean }
    | undefined;
  const parse = allowed === undefined ? ["users", "roles", "everyone"] : (allowed.parse ?? []);
  const named = [...content.matchAll(/<@!?(\d+)>/g)].map(([, id = ""]) => id);
  const replied = repliedTo !== undefined && (allowed === undefined || allowed.replied_user === true);
  return [
    ...named.filter((id) => parse.includes("users") || allowed?.users?.includes(id) === true),
    ...(parse.includes("roles") ? [...content.matchAll(/<@&(\d+)>/g)].map(([, id = ""]) => id) : []),
    ...(parse.includes("everyone") && /@(?:everyone|here)/.test(content) ? ["everyone"] : []),
    ...(replied ? [repliedTo.author.id] : []),
  ];
}
