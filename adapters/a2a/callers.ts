/** Who calls, by what comes along in the headers of HTTP or the metadata of gRPC. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { createKeyring, keyName } from "../../src/api-keys.ts";
import { taskCaller, type TaskCaller } from "../../src/skilled.ts";

export interface CallersOptions {
  /** Each is a caller of its own. */
  readonly keys: readonly string[];
  /** The gateway's: its own parts call each other with what derives from it. */
  readonly secret: string;
  /** Of callers with a key. */
  readonly tenant: string;
}

/** Undefined: nobody that is known. */
export type CallerOf = (headers: Headers) => TaskCaller | undefined;

export function createCallers({ keys, secret, tenant }: CallersOptions): CallerOf {
  const ring = createKeyring(keys.map((one) => [one, keyName(one)]));
  return (headers) => {
    const internal = headers.get("x-ascent-caller");
    if (internal !== null) return internalCaller(secret, internal, headers);
    const apiKey = headers.get("x-api-key");
    const id = ring.of(apiKey === null ? headers : new Headers({ authorization: `Bearer ${apiKey}` }));
    return id === undefined ? undefined : { tenant, id: within(id, headers.get("x-ascent-for")) };
  };
}

/** What a part of the gateway calls an agent with, in this process or in another that has the same secret. */
export function internalHeaders(secret: string, { tenant, id }: TaskCaller): Readonly<Record<string, string>> {
  const caller = Buffer.from(JSON.stringify({ tenant, id })).toString("base64url");
  return { authorization: `Bearer ${internalToken(secret, caller)}`, "x-ascent-caller": caller };
}

function internalToken(secret: string, caller: string): string {
  return createHmac("sha256", secret).update(`ascent a2a caller\0${caller}`).digest("base64url");
}

function internalCaller(secret: string, given: string, headers: Headers): TaskCaller | undefined {
  const wanted = Buffer.from(internalToken(secret, given));
  const token = Buffer.from(headers.get("authorization")?.replace(/^Bearer +/i, "") ?? "");
  if (token.length !== wanted.length || !timingSafeEqual(token, wanted)) return undefined;
  return taskCaller.parse(JSON.parse(Buffer.from(given, "base64url").toString()));
}

/** A caller that asks for several others keeps their tasks apart: each of them is a caller of its own, and none is anybody else's. */
function within(caller: string, other: string | null): string {
  return other === null ? caller : `${caller}.${createHash("sha256").update(other).digest("base64url").slice(0, 22)}`;
}
