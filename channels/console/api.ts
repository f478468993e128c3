import { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { InputError } from "../../src/errors.ts";
import type { AccountState, Operations, Report } from "../../src/operations.ts";
import {
  shownAccount,
  shownAsked,
  shownCall,
  shownDelivery,
  shownEntry,
  shownHeard,
  shownLetter,
  shownLink,
  shownMission,
  shownRating,
  shownReview,
  shownTakeover,
  svgOf,
} from "./format.ts";
import { routes } from "./routes.ts";
import { consolePath } from "./settings.ts";
import type { Entry } from "./verify.ts";

export const documentPath = `${consolePath}/openapi.json`;

const bodyBytes = 128 * 1024;

/** What it throws the server tells in its own shape, which is that of the document. */
export function createApi(examine: () => Promise<readonly Report[]>) {
  const api = new OpenAPIHono<{ Bindings: Entry }>({
    defaultHook(result) {
      if (result.success) return;
      const [issue] = result.error.issues;
      const where = issue?.path.join(".") ?? "";
      throw new InputError(`${where === "" ? "" : `${where}: `}${issue?.message ?? "not valid"}`);
    },
  });
  api.onError((error) => {
    if (error instanceof HTTPException && error.status < 500) throw new InputError(error.message || "Not valid.");
    throw error;
  });
  api.use(
    bodyLimit({
      maxSize: bodyBytes,
      onError() {
        throw new InputError(`The body is larger than ${bodyBytes} bytes.`, { status: 413 });
      },
    }),
  );

  api.openapi(routes.asked, async (c) => c.json({ asked: (await c.env.operations.asked()).map(shownAsked) }, 200));
  for (const [name, state] of [
    ["approve", "approved"],
    ["deny", "denied"],
  ] as const) {
    api.openapi(routes[name], async (c) => {
      const { channel, account, user } = await c.env.operations.decide(c.req.valid("json").who, state);
      return c.json({ channel, account, user, state }, 200);
    });
  }

  api.openapi(routes.approvals, async (c) =>
    c.json({ approvals: (await c.env.operations.approvals()).map(shownCall) }, 200),
  );
  for (const [name, approved] of [
    ["allow", true],
    ["forbid", false],
  ] as const) {
    api.openapi(routes[name], async (c) => {
      const { id } = c.req.valid("param");
      await c.env.operations.approve(id, { approved, note: c.req.valid("json").note });
      return c.json({ id }, 202);
    });
  }

  api.openapi(routes.missions, async (c) => {
    const { limit } = c.req.valid("query");
    return c.json({ missions: (await c.env.operations.missions(limit)).map(shownMission) }, 200);
  });
  api.openapi(routes.mission, async (c) => {
    const found = await c.env.operations.mission(c.req.valid("param").id);
    if (found === undefined) throw absent("mission");
    return c.json({ ...shownMission(found), status: found.status, steps: [...found.steps] }, 200);
  });
  for (const [name, act] of [
    ["pauseMission", "pause"],
    ["resumeMission", "resume"],
    ["cancelMission", "cancel"],
  ] as const) {
    api.openapi(routes[name], async (c) => {
      const { id } = c.req.valid("param");
      if (!(await c.env.operations.orderMission(id, act))) throw absent("mission");
      return c.json({ id }, 202);
    });
  }
  api.openapi(routes.takeovers, async (c) =>
    c.json({ takeovers: (await c.env.operations.takeovers()).map(shownTakeover) }, 200),
  );
  api.openapi(routes.take, async (c) => {
    const { n, ...taken } = await c.env.operations.take(c.req.valid("json"));
    return c.json({ ...shownTakeover(taken), n }, 200);
  });
  api.openapi(routes.heard, async (c) =>
    c.json(shownHeard(await c.env.operations.watchTakeover(c.req.valid("param").id)), 200),
  );
  api.openapi(routes.sayThere, async (c) => {
    const { id: conversation } = c.req.valid("param");
    const id = c.req.valid("header")["idempotency-key"];
    await c.env.operations.sayThere({ conversation, id, ...c.req.valid("json") });
    return c.json({ id }, 202);
  });
  api.openapi(routes.release, async (c) => {
    const { id } = c.req.valid("param");
    await c.env.operations.release({ conversation: id, ...c.req.valid("json") });
    return c.json({ id }, 200);
  });

  api.openapi(routes.feedback, async (c) => {
    const { limit } = c.req.valid("query");
    return c.json({ ratings: (await c.env.operations.feedback(limit)).map(shownRating) }, 200);
  });
  api.openapi(routes.reviews, async (c) => {
    const { limit, done } = c.req.valid("query");
    const which = done === undefined ? {} : { done: done === "true" };
    return c.json({ reviews: (await c.env.operations.reviews({ limit, ...which })).map(shownReview) }, 200);
  });
  api.openapi(routes.nextReviews, async (c) =>
    c.json({ reviews: (await c.env.operations.nextReviews(c.req.valid("json"))).map(shownReview) }, 200),
  );
  api.openapi(routes.review, async (c) => {
    const { id } = c.req.valid("param");
    return c.json(shownReview(await c.env.operations.review({ ...c.req.valid("json"), id })), 200);
  });

  api.openapi(routes.deadLetters, async (c) => {
    const { limit, before } = c.req.valid("query");
    const letters = await c.env.operations.deadLetters(limit, before);
    const next = letters.length < limit ? undefined : letters.at(-1)?.n;
    return c.json({ deadLetters: letters.map(shownLetter), ...(next === undefined ? {} : { next }) }, 200);
  });
  api.openapi(routes.deadLetter, async (c) => {
    const letter = await c.env.operations.deadLetter(c.req.valid("param").id);
    if (letter === undefined) throw absent("dead letter");
    return c.json({ ...shownLetter(letter), event: letter.event }, 200);
  });
  api.openapi(routes.retry, async (c) => {
    const { id } = c.req.valid("param");
    if (!(await c.env.operations.retry(id))) throw absent("dead letter");
    return c.json({ id }, 202);
  });
  api.openapi(routes.drop, async (c) => {
    const { id } = c.req.valid("param");
    if (!(await c.env.operations.drop(id))) throw absent("dead letter");
    return c.json({ id }, 200);
  });

  api.openapi(routes.journal, async (c) => {
    const { limit, conversation } = c.req.valid("query");
    return c.json({ entries: (await c.env.operations.journal(limit, conversation)).map(shownEntry) }, 200);
  });

  api.openapi(routes.send, async (c) => {
    const id = c.req.valid("header")["idempotency-key"];
    return c.json({ ...(await c.env.operations.send({ ...c.req.valid("json"), id })) }, 202);
  });

  api.openapi(routes.usage, async (c) => {
    const { windows, rows, ...of } = await c.env.operations.usage(c.req.valid("query"));
    return c.json({ ...of, windows: [...windows], rows: [...rows] }, 200);
  });

  api.openapi(routes.webhooks, async (c) => {
    const { limit } = c.req.valid("query");
    return c.json({ deliveries: (await c.env.operations.webhooks(limit)).map(shownDelivery) }, 200);
  });
  api.openapi(routes.replay, async (c) => {
    const { id } = c.req.valid("param");
    if (!(await c.env.operations.replay(id))) throw absent("delivery");
    return c.json({ id }, 202);
  });

  api.openapi(routes.channels, async (c) =>
    c.json({ accounts: (await c.env.operations.channels()).map(shownAccount) }, 200),
  );
  api.openapi(routes.channel, async (c) => {
    return c.json(shownAccount(await accountOf(c.env.operations, c.req.valid("param"))), 200);
  });
  api.openapi(routes.link, async (c) => {
    const { state, link } = await accountOf(c.env.operations, c.req.valid("param"));
    if (state === "elsewhere") return c.json({ state }, 200);
    if (link === undefined) throw new InputError(noDevice, { status: 404 });
    return c.json(shownLink(link), 200);
  });
  api.openapi(routes.linkImage, async (c) => {
    const { state, link } = await accountOf(c.env.operations, c.req.valid("param"));
    if (link === undefined && state !== "elsewhere") throw new InputError(noDevice, { status: 404 });
    if (link?.code === undefined) throw new InputError(noCode(link?.state ?? state), { status: 409 });
    const { text, until } = link.code;
    return c.body(svgOf(text), 200, {
      "content-type": "image/svg+xml",
      "cache-control": "no-store",
      expires: new Date(until).toUTCString(),
    });
  });

  api.openapi(routes.doctor, async (c) => {
    const { operator, operations } = c.env;
    const shared = operator.tenant === undefined ? await examine() : [];
    const reports = [...shared, ...(await operations.check())];
    const ok = reports.every(({ findings }) => findings.every((one) => one.ok));
    return c.json(
      { ok, reports: reports.map(({ topic, findings }) => ({ topic, findings: findings.map((one) => ({ ...one })) })) },
      200,
    );
  });

  for (const path of new Set(Object.values(routes).map((route) => route.getRoutingPath()))) {
    api.all(path, () => {
      throw new InputError("Not with this method: see /docs.", { status: 405 });
    });
  }
  api.notFound(() => {
    throw absent("address");
  });
  api.openAPIRegistry.registerComponent("securitySchemes", "key", { type: "http", scheme: "bearer" });
  api.doc31(documentPath, {
    openapi: "3.1.0",
    info: {
      title: "Ascent for operators",
      version: "1",
      description:
        "What the `ascent` commands do, for programs: writing first, pairing, approvals, takeovers, feedback, reviews, dead letters, the journal, usage, webhooks, channels and the doctor. Every " +
        "request brings an operator's key. An operator of one tenant sees that tenant's accounts alone; what is another's answers 404.",
    },
  });
  return api;
}

const noDevice = "This account has no device to link.";
const noCode = (state: string) => `There is no code to scan now: the state is "${state}".`;
const absent = (what: string) => new InputError(`There is no such ${what}.`, { status: 404 });

/** @throws InputError (404) where it is not, or is another tenant's. */
async function accountOf(
  operations: Operations,
  wanted: { readonly channel: string; readonly account: string },
): Promise<AccountState> {
  const all = await operations.channels();
  const found = all.find(({ channel, account }) => channel === wanted.channel && account === wanted.account);
  if (found === undefined) throw absent("account");
  return found;
}
