/** Who may come in: whoever brings an operator's key, and does not try many. */
import { createKeyring } from "../../src/api-keys.ts";
import type { Operations, Operator } from "../../src/operations.ts";
import type { Clock, Log } from "../../src/ports.ts";
import { createOnce, createRates } from "../../src/rates.ts";
import type { OperatorSettings } from "./settings.ts";

/** From one address; of IPv6 a subnet counts as one, since whoever has one of its addresses has all. */
const wrongPerMinute = 20;
const windowMs = 60_000;

export interface GateParts {
  readonly operators: readonly OperatorSettings[];
  readonly operationsOf: (operator: Operator) => Operations;
  readonly clock: Clock;
  readonly log: Log;
}
export interface Entry {
  readonly operator: Operator;
  readonly operations: Operations;
}
export type Gate = (headers: Headers, from?: string) => Entry | Response;

/**
 * Tells whose request it is, or how it is refused. After too many wrong keys none from there is looked at, not even
 * a right one: the answer would tell who guesses.
 */
export function createGate({ operators, operationsOf, clock, log }: GateParts): Gate {
  const keyring = createKeyring(
    operators.map(({ key, ...operator }): [string, Entry] => [key, { operator, operations: operationsOf(operator) }]),
  );
  const rates = createRates(clock);
  const once = createOnce(clock, windowMs);
  return (headers, from = "") => {
    if (!headers.has("authorization")) return unauthorized();
    const peer = networkOf(from);
    const waitMs = rates.take(peer, wrongPerMinute);
    if (waitMs > 0) {
      if (once(peer)) log.warn({ from }, "operators' API: too many wrong keys, none from there is looked at for now");
      const message = "Too many wrong keys came from there: try again later.";
      return refuse(429, "too_many_requests", message, { "retry-after": String(Math.ceil(waitMs / 1_000)) });
    }
    const found = keyring.of(headers);
    if (found !== undefined) rates.giveBack(peer);
    return found ?? unauthorized();
  };
}

function unauthorized(): Response {
  const message = 'The key is missing or wrong: send an operator\'s as "Authorization: Bearer <key>".';
  return refuse(401, "unauthorized", message, { "www-authenticate": "Bearer" });
}

function refuse(status: number, code: string, message: string, headers: Readonly<Record<string, string>>): Response {
  return Response.json({ error: { code, message } }, { status, headers });
}

/** The first four groups of an IPv6 address; any other as it is. */
export function networkOf(address: string): string {
  if (!address.includes(":") || address.includes(".")) return address.replace(/^::ffff:/i, "");
  const [head = "", tail] = address.split("%", 1)[0]?.toLowerCase().split("::") ?? [];
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => "0");
  return [...before, ...zeros, ...after].slice(0, 4).join(":");
}
