/** Which agent answers where, as ascent.yaml says it: the first of `routes` whose conditions all hold. */
import { z } from "zod";

const word = z.union([z.string().trim().min(1), z.number().refine(Number.isSafeInteger).transform(String)], {
  error: "must be a text, or a whole number; long ones in quotes",
});
/** One, or any of several. */
const anyOf = z.union([word.transform((one) => [one]), z.array(word).min(1, "names none")]).optional();

export const conditions = ["tenant", "channel", "account", "kind", "chat", "thread", "person", "language"] as const;
export type Condition = (typeof conditions)[number];

export const routeSettings = z.strictObject({
  tenant: anyOf,
  channel: anyOf,
  account: anyOf,
  kind: z.enum(["direct", "group"], 'must be "direct" or "group"').optional(),
  /** The platform's ids: of chats and groups, and of threads in them. */
  chat: anyOf,
  thread: anyOf,
  /** Of direct chats alone: the person's id there, and the language that the platform tells of them. */
  person: anyOf,
  language: anyOf,
  agent: z.string().min(1),
  /** Whom people may choose there with /agent; those that are offered at all unless given. */
  offer: z.array(z.string().min(1)).optional(),
});
export type Route = z.output<typeof routeSettings>;

/** Telegram takes no other characters in a command. */
export const agentCommand = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,31}$/, "is no command: use small letters, digits and underscores, at most 32");

/** What a condition asks for; undefined: it asks for nothing. */
export function wanted(route: Route, condition: Condition): readonly string[] | undefined {
  if (condition !== "kind") return route[condition];
  if (route.kind !== undefined) return [route.kind];
  // A group has no person of its own.
  return route.person === undefined && route.language === undefined ? undefined : ["direct"];
}

interface Given {
  readonly agents: Readonly<
    Record<string, { readonly handoffs: readonly string[]; readonly command?: string | undefined }>
  >;
  readonly routes: readonly Route[];
}

/** @param own the gateway's own commands. */
export function routeProblems({ agents, routes }: Given, own: readonly string[]): string[] {
  const names = Object.keys(agents);
  const unknown = (place: string, name: string) =>
    names.includes(name) ? [] : [`${place}: there is no agent "${name}"; there are ${names.join(", ")}`];
  const problems = routes.flatMap((route, at) => [
    ...unknown(`routes.${at}.agent`, route.agent),
    ...(route.offer ?? []).flatMap((name) => unknown(`routes.${at}.offer`, name)),
    ...(route.kind === "group" && (route.person ?? route.language) !== undefined
      ? [
          `routes.${at}: person and language are of direct chats: leave out "kind: group", or name the group by its chat`,
        ]
      : []),
    ...unreachable(routes, route, at),
  ]);
  for (const [name, { handoffs, command }] of Object.entries(agents)) {
    problems.push(...handoffs.flatMap((other) => unknown(`agents.${name}.handoffs`, other)));
    if (handoffs.includes(name)) problems.push(`agents.${name}.handoffs: an agent cannot hand over to itself`);
    if (command === undefined) continue;
    const place = `agents.${name}.command`;
    if (own.includes(command)) problems.push(`${place}: /${command} is the gateway's own: choose another word`);
    const [first = name] = names.filter((other) => agents[other]?.command === command);
    if (first !== name) problems.push(`${place}: agents.${first} has /${command} already: choose another word`);
  }
  return problems;
}

function unreachable(routes: readonly Route[], route: Route, at: number): string[] {
  const before = routes.slice(0, at).findIndex((earlier) => conditions.every((one) => covers(earlier, route, one)));
  if (before === -1) return [];
  return [
    `routes.${at}: is never reached, since routes.${before} takes all of it: put it before that one, or remove it`,
  ];
}

/** Whatever the one asks for by this condition, the other takes. */
function covers(earlier: Route, later: Route, condition: Condition): boolean {
  const all = wanted(earlier, condition);
  const some = wanted(later, condition);
  if (all === undefined) return true;
  return some !== undefined && some.every((value) => all.some((taken) => fits(condition, taken, value)));
}

/** A language without a region is all of its regions. */
export function fits(condition: Condition, asked: string, value: string): boolean {
  if (condition !== "language") return asked === value;
  const [want, is] = [asked.toLowerCase().replaceAll("_", "-"), value.toLowerCase().replaceAll("_", "-")];
  return is === want || is.startsWith(`${want}-`);
}
