import { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { createMiddleware } from "hono/factory";
import type { ChannelDeps } from "../../src/channel.ts";
import { languageOf, offered } from "../../src/commands.ts";
import { InfrastructureError, InputError, reasonOf, TerminalError } from "../../src/errors.ts";
import { conversationId, messageId, participantId } from "../../src/ids.ts";
import { type Attachments, downloadHeaders, fileName, mediaType } from "./attachments.ts";
import type { Conversations } from "./conversation.ts";
import type { FromPerson } from "./entry.ts";
import { pageAttachment, pageMessage } from "./format.ts";
import type { Live } from "./live.ts";
import { addressOf, commandOf, localeOf, participantOf, timeZoneOf } from "./parse.ts";
import { refuse, refuseInvalid, refuseThrown } from "./refuse.ts";
import { type PageOutgoing, routes } from "./routes.ts";
import type { WebSettings } from "./settings.ts";
import { createSessions, hostAllowed, originAllowed } from "./verify.ts";

export interface ApiParts {
  readonly settings: WebSettings;
  readonly deps: ChannelDeps;
  readonly conversations: Conversations;
  readonly attachments: Attachments;
  readonly live: Live;
}

interface ApiEnv {
  Variables: { session: string };
}

const jsonBytes = 512 * 1024;

export function createApi({ settings, deps, conversations, attachments, live }: ApiParts) {
  const app = new OpenAPIHono<ApiEnv>({ defaultHook: (result, c) => refuseInvalid(result, c) });
  const { tenant, channel, account, secret, publicUrl } = deps;
  const { embedOrigins } = settings;
  const sessions = createSessions({ tenant, channel, account, secret, publicUrl, embedOrigins });
  const browser = ({ headers }: Request) => {
    const locale = localeOf(headers.get("accept-language"));
    const timeZone = timeZoneOf(headers.get("x-time-zone"));
    return { ...(locale !== undefined && { locale }), ...(timeZone !== undefined && { timeZone }) };
  };

  app.onError((error, c) => {
    if (error instanceof InfrastructureError) deps.log.warn({ reason: reasonOf(error) }, "web: refused for now");
    if (error instanceof TerminalError) deps.log.error({ reason: reasonOf(error) }, "web: refused for good");
    return refuseThrown(error, c);
  });
  app.use("/api/*", async (c, next) => {
    c.header("cache-control", "no-store");
    if (!hostAllowed(c.req.raw, publicUrl)) {
      const { host } = new URL(c.req.url);
      return refuse(c, 403, "unknown_host", `This gateway is not known as "${host}": set PUBLIC_URL to its address.`);
    }
    if (!originAllowed(c.req.raw, { publicUrl, embedOrigins })) {
      return refuse(c, 403, "cross_site", "Only the gateway's own page may do this: send its address as Origin.");
    }
    return next();
  });
  const session = createMiddleware<ApiEnv>(async (c, next) => {
    const id = sessions.read(c);
    if (id === undefined) return refuse(c, 401, "no_session", "There is no session: POST /api/session first.");
    c.set("session", id);
    return next();
  });
  for (const path of [
    "/api/messages",
    "/api/messages/*",
    "/api/stop",
    "/api/reset",
    "/api/attachments",
    "/api/attachments/*",
    "/api/events",
  ]) {
    app.use(path, session);
  }
  const jsonOnly = createMiddleware(async (c, next) => {
    const type = c.req.header("content-type");
    const bare = type === undefined && !c.req.path.startsWith("/api/messages");
    if (c.req.method === "POST" && !bare && mediaType(type) !== "application/json") {
      return refuse(c, 415, "unsupported_media_type", "The body must be JSON: set Content-Type to application/json.");
    }
    return next();
  });
  for (const path of ["/api/session", "/api/messages", "/api/messages/*", "/api/stop", "/api/reset"]) {
    const onError = () => {
      throw new InputError(`The body is larger than ${jsonBytes} bytes.`, { status: 413 });
    };
    app.use(path, jsonOnly, bodyLimit({ maxSize: jsonBytes, onError }));
  }

  app.openapi(routes.session, (c) => {
    const id = sessions.read(c) ?? deps.newId();
    sessions.write(c, id);
    const language = languageOf(localeOf(c.req.header("accept-language")));
    const { agent, textLength, maxAttachmentBytes, maxAttachments } = settings;
    const { examples, notice, name, demo } = agent;
    return c.json(
      {
        agent: { name, demo, ...(notice !== undefined && { notice }) },
        participant: { id: participantId(deps, id) },
        limits: { textLength, attachmentBytes: maxAttachmentBytes, attachments: maxAttachments },
        commands: [...offered, ...(deps.commands ?? [])].map(({ name, words }) => ({
          name,
          description: words[language],
        })),
        ...(examples !== undefined && { examples }),
        ...(deps.ratings !== undefined && { feedback: { asks: deps.ratings.asks } }),
      },
      200,
    );
  });

  app.openapi(routes.history, async (c) => {
    const { before } = c.req.valid("query");
    const own = c.get("session");
    const { entries, last, more } = await conversations.history(own, before === undefined ? undefined : Number(before));
    const oldest = entries[0]?.n;
    const thumbs = await deps.ratings?.of(conversationId(deps, own), { id: participantId(deps, own) });
    const shown = entries
      .flatMap((placed) => pageMessage(placed) ?? [])
      .map((message) => {
        const rated = thumbs?.get(messageId(deps, own, message.id));
        return rated === undefined ? message : { ...message, rated };
      });
    return c.json(
      {
        messages: shown,
        lastEventId: String(last),
        more,
        ...(more && oldest !== undefined && { before: String(oldest) }),
        running: live.isRunning(own),
      },
      200,
    );
  });

  app.openapi(routes.send, async (c) => {
    const body = c.req.valid("json");
    await conversations.accept(c.get("session"), { ...(await entryOf(c.get("session"), body)), ...browser(c.req.raw) });
    return c.json({ id: body.id }, 202);
  });

  app.openapi(routes.rate, async (c) => {
    const own = c.get("session");
    const { id } = c.req.valid("param");
    const { thumb, words } = c.req.valid("json");
    const person = { address: addressOf(deps, own), participant: participantOf(deps, own) };
    if (!(await deps.inbound.hears(person))) return refuse(c, 403, "not_allowed", "You may not write here.");
    const of = { account: deps, target: messageId(deps, own, id), by: { id: participantId(deps, own) }, words };
    if ((await deps.ratings?.rate({ ...of, thumb: thumb ?? undefined })) === true) return c.json({ thumb }, 200);
    return refuse(c, 404, "not_found", "This answer cannot be rated (any more).");
  });

  async function entryOf(
    own: string,
    { id, text = "", attachments: ids = [], replyTo, press }: PageOutgoing,
  ): Promise<FromPerson> {
    if (text.length > settings.textLength) {
      throw new InputError(`text: a message has at most ${settings.textLength} characters`, { status: 413 });
    }
    if (ids.length > settings.maxAttachments) {
      throw new InputError(`attachments: a message has at most ${settings.maxAttachments}`);
    }
    if (text.trim() === "" && ids.length === 0 && press === undefined)
      throw new InputError("a message needs text, a file or a press");
    const client = { v: 1, client: id } as const;
    if (press === undefined && ids.length === 0 && commandOf(text)?.name === "reset") {
      return { ...client, kind: "command", name: "reset" };
    }
    const files = await Promise.all(ids.map((one) => attachments.use(own, one.id)));
    if (files.includes(undefined)) throw new InputError("attachments: unknown file, upload it first", { status: 404 });
    const pressed = press === undefined ? undefined : await pressOf(own, press);
    const reply = replyTo === undefined ? undefined : await replyOf(own, replyTo);
    return {
      ...client,
      kind: "user",
      text: pressed?.label ?? text,
      attachments: files.filter((file) => file !== undefined),
      ...(pressed !== undefined && { press: pressed }),
      ...(reply !== undefined && { replyTo: reply }),
    };
  }

  async function pressOf(own: string, { message, button }: { message: string; button: string }) {
    const entry = (await conversations.find(own, message))?.entry;
    const found = entry?.kind === "agent" ? entry.buttons.find(({ id }) => id === button) : undefined;
    if (found === undefined) throw new InputError("press: no such button", { status: 404 });
    return { button, label: found.label, of: message };
  }

  async function replyOf(own: string, message: string) {
    const entry = (await conversations.find(own, message))?.entry;
    if (entry === undefined || entry.kind === "command")
      throw new InputError("replyTo: no such message", { status: 404 });
    return { message, text: entry.text.slice(0, 1000), own: entry.kind === "agent" };
  }

  for (const name of ["stop", "reset"] as const) {
    app.openapi(routes[name], async (c) => {
      const { id = deps.newId() } = c.req.header("content-type") === undefined ? {} : c.req.valid("json");
      await conversations.accept(c.get("session"), { v: 1, kind: "command", client: id, name, ...browser(c.req.raw) });
      return c.json({ id }, 202);
    });
  }

  app.openapi(routes.upload, async (c) => {
    const { name } = c.req.valid("query");
    const { body, headers } = c.req.raw;
    const declared = Number(headers.get("content-length") ?? 0);
    if (settings.maxAttachments === 0) return refuse(c, 403, "attachments_off", "This gateway takes no files here.");
    if (declared > settings.maxAttachmentBytes) {
      return refuse(c, 413, "too_large", `A file has at most ${settings.maxAttachmentBytes} bytes.`);
    }
    if (body === null) return refuse(c, 400, "bad_request", "The body is the file: it is empty.");
    const own = c.get("session");
    if (!(await deps.inbound.hears({ address: addressOf(deps, own), participant: participantOf(deps, own) })))
      return refuse(c, 403, "not_allowed", "You may not send files here: write a message first.");
    const given = { type: mediaType(headers.get("content-type")), name: fileName(name), size: declared };
    return c.json(pageAttachment(await attachments.add(own, body, given)), 201);
  });

  app.openapi(routes.download, async (c) => {
    const file = await attachments.find(c.get("session"), c.req.valid("param").id);
    const blob = file && (await deps.blobs.get(file.blob));
    if (file === undefined || blob === undefined) return refuse(c, 404, "not_found", "There is no such file.");
    return c.body(blob.body, 200, downloadHeaders(file));
  });

  app.openapi(routes.events, async (c) => {
    const own = c.get("session");
    const resumed = c.req.header("last-event-id") ?? c.req.valid("query").after ?? "0";
    if (!/^\d{1,15}$/.test(resumed))
      return refuse(c, 400, "bad_request", "Last-Event-ID is a number that this server gave.");
    if (Number(resumed) > (await conversations.latest(own))) {
      return refuse(c, 410, "gone", "That place is not known: read the history again.");
    }
    const stream = live.open(own, Number(resumed));
    if (stream === "session")
      return refuse(c, 429, "too_many_streams", "Too many open pages.", { "retry-after": "10" });
    if (stream === "total")
      return refuse(c, 503, "overloaded", "Too many open pages: try again.", { "retry-after": "10" });
    return c.body(stream, 200, {
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
    });
  });

  for (const path of ["session", "messages", "stop", "reset", "attachments", "events"]) {
    app.all(`/api/${path}`, (c) => refuse(c, 405, "method_not_allowed", "Not with this method: see /docs."));
  }
  app.all("/api/*", (c) => refuse(c, 404, "not_found", "There is nothing at this address: see /docs."));
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: {
      title: "Ascent web chat",
      version: "1",
      description:
        "How the page talks to the gateway, and how another program may: open a session and keep its cookie, send messages " +
        "with an Origin header of the gateway's own address, and follow the events.",
    },
  });
  return app;
}
