/** Operators of the real gateway, and what two of them do at once. */
import { expect } from "vitest";

export interface ConsoleAnswer {
  readonly status: number;
  readonly text: string;
  readonly body: unknown;
}
/** @param id the idempotency key. */
export type AsOperator = (line: string, body?: unknown, id?: string) => Promise<ConsoleAnswer>;

export function consoleOf(url: string, key: string): AsOperator {
  return async (line, body, id) => {
    const [method = "", path = ""] = line.split(" ");
    const response = await fetch(`${url}/api/console/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(id === undefined ? {} : { "idempotency-key": id }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, text, body: JSON.parse(text) as unknown };
  };
}

interface Two {
  readonly conversation: string;
  readonly bob: AsOperator;
  readonly eve: AsOperator;
}

/** Both take it at once, one has it; by force it is the other's, who lets go. */
export async function operatorsTake({ conversation, bob, eve }: Two): Promise<void> {
  const take = (by: AsOperator, force = false) => by("POST /takeovers", { conversation, force });
  const id = encodeURIComponent(conversation);
  const both = await Promise.all([take(bob), take(eve)]);
  expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
  const [first, second] = both[0]?.status === 200 ? (["bob", "eve"] as const) : (["eve", "bob"] as const);
  const by = { bob, eve };
  expect(both.find(({ status }) => status === 409)?.text).toContain(`${first} has this conversation`);
  expect((await take(by[first])).status).toBe(200);
  expect((await by[second](`POST /takeovers/${id}/messages`, { text: "mine" }, "a")).status).toBe(409);
  expect((await by[second](`POST /takeovers/${id}/release`, {})).status).toBe(409);
  expect((await take(by[second], true)).body).toMatchObject({ by: second, n: 2 });
  const refused = await by[first](`POST /takeovers/${id}/messages`, { text: "mine", n: 1 }, "b");
  expect(refused).toMatchObject({ status: 409, text: expect.stringContaining(`${second} has`) });
  expect((await bob("GET /takeovers")).body).toMatchObject({ takeovers: [{ conversation, by: second }] });
  expect((await by[second](`POST /takeovers/${id}/messages`, { text: "ours", n: 2 }, "c")).status).toBe(202);
  expect((await by[second](`POST /takeovers/${id}/release`, {})).status).toBe(200);
  expect((await bob("GET /takeovers")).body).toEqual({ takeovers: [] });
}
