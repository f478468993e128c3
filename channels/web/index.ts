/**
 * The web chat: a page at "/", its API, and the person's side of a conversation in the browser.
 *
 * What is sent is what the transcript has, so that sending twice is sending once; live streams only tell that there is more.
 */
import type {
  Channel,
  ChannelDeps,
  Finding,
  HttpHandler,
  Preview,
  Rateable,
  Reach,
  Typing,
  Check,
} from "../../src/channel.ts";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { encodePart, messageId } from "../../src/ids.ts";
import { createApi } from "./api.ts";
import { createAttachments } from "./attachments.ts";
import { createConversations } from "./conversation.ts";
import { dialect } from "./format.ts";
import { createLive } from "./live.ts";
import { reach } from "./reach.ts";
import { refuse } from "./refuse.ts";
import { createSend, idOfAnswer } from "./send.ts";
import type { WebSettings } from "./settings.ts";
import { createSite } from "./site.ts";

export { webSettings } from "./settings.ts";

/** An agent's file; what people may upload is a setting. */
const sentBytes = 100 * 1024 * 1024;

export function web(
  settings: WebSettings,
  deps: ChannelDeps,
): Channel & Typing & Preview & HttpHandler & Check & Reach & Rateable {
  const { clock, log } = deps;
  const { streams, streamsPerSession } = settings;
  const live = createLive({
    conversations: () => conversations,
    clock,
    log,
    streams,
    streamsPerSession,
    signals: deps.signals,
    topic: ["web", deps.tenant, deps.account].map(encodePart).join(":"),
  });
  const conversations = createConversations(deps, live.changed);
  const attachments = createAttachments(deps, settings);
  const app = createApi({ settings, deps, conversations, attachments, live });
  app.route("/", createSite(settings));
  app.notFound((c) => refuse(c, 404, "not_found", "There is nothing at this address."));

  /** Hono drops the body of an answer to HEAD without cancelling it: a stream or a file would stay open for ever. */
  async function headOf(request: Request): Promise<Response> {
    const response = await app.fetch(new Request(request, { method: "GET" }));
    await response.body?.cancel();
    return new Response(null, response);
  }

  return {
    tenant: deps.tenant,
    channel: deps.channel,
    account: deps.account,
    traits: {
      order: "sequence",
      text: { max: settings.textLength },
      caption: { max: settings.textLength },
      buttons: { max: 24, label: 200, id: 500 },
      media: {
        image: sentBytes,
        video: sentBytes,
        audio: sentBytes,
        voice: sentBytes,
        file: sentBytes,
        sticker: sentBytes,
      },
      // A link: the page has no map.
      location: false,
      replies: false,
      receipts: false,
      refuses: true,
      idempotentMs: Infinity,
      typingMs: Infinity,
      preview: { everyMs: 80, in: ["direct"] },
    },
    dialect,
    send: createSend(deps, attachments, live),
    typing: async (to, on) => live.typing(to.chat, on),
    preview: async (to, draft) => live.delta(to.chat, draft),
    reach: (target) => reach(deps, target),
    ratedAs: ({ to, key }) => [messageId(deps, to.chat, idOfAnswer(key))],
    paths: ["/", "/*"],
    handle: (request) => (request.method === "HEAD" ? headOf(request) : Promise.resolve(app.fetch(request))),
    check: () => checkPage(settings.pageDirectory),
  };
}

async function checkPage(directory: string): Promise<readonly Finding[]> {
  const file = join(directory, "index.html");
  try {
    await access(file);
    return [{ ok: true, text: "The chat page is built." }];
  } catch {
    return [
      {
        ok: false,
        text: `The chat page is not built: there is no ${file}.`,
        next: "Start the gateway by `npm start`.",
      },
    ];
  }
}
