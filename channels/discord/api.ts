/**
 * discord.js's REST client: its buckets and its count of 50 requests a second decide before Discord does, and what would
 * have to wait is refused here as a 429, so that the core knows and waits.
 */
import { mapError, refusalOf, type Refusal } from "./errors.ts";
import { library, type REST } from "./library.ts";
import type { DiscordOptions } from "./settings.ts";

export type Method = "GET" | "POST" | "PATCH" | "PUT" | "DELETE";

export interface Call {
  readonly method: Method;
  /** Below the API's version, for example "/users/@me". */
  readonly route: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly files?: readonly { readonly name: string; readonly data: Buffer; readonly contentType?: string }[];
  readonly signal?: AbortSignal;
  /** False where the address itself is the secret: an interaction's. */
  readonly auth?: boolean;
  /** Default half a minute, waiting in line behind others of the same bucket included. */
  readonly deadlineMs?: number;
}

export interface DiscordApi {
  /** @param operation names the call in errors. @throws the core's errors. */
  call<Result>(operation: string, call: Call): Promise<Result>;
  /** As `call`; `onRefusal` is asked what to do about an error status before it becomes an error. */
  attempt<Result, Other>(
    operation: string,
    call: Call,
    onRefusal: (refusal: Refusal) => Other | undefined,
  ): Promise<Result | Other>;
  rest(): REST;
  close(): void;
}

export function createApi({ token, apiRoot }: DiscordOptions): DiscordApi {
  let made: REST | undefined;

  const rest = (): REST => {
    const settings = { api: apiRoot, version: "10", retries: 0, timeout: 600_000, offset: 0 };
    return (made ??= new (library().REST)({ ...settings, rejectOnRateLimit: () => true }));
  };

  async function request(client: REST, { deadlineMs = 30_000, signal, ...call }: Call): Promise<unknown> {
    const ends = AbortSignal.any([...(signal === undefined ? [] : [signal]), AbortSignal.timeout(deadlineMs)]);
    ends.throwIfAborted();
    // After a 401 it forgets its token.
    client.setToken(token);
    const query = call.query === undefined ? {} : { query: new URLSearchParams(call.query) };
    const files = call.files === undefined ? {} : { files: [...call.files] };
    const auth = call.auth === undefined ? {} : { auth: call.auth };
    const fullRoute = call.route as `/${string}`;
    const asked = { method: call.method as Parameters<REST["request"]>[0]["method"], fullRoute, body: call.body };
    return client.request({ ...asked, ...query, ...files, ...auth, signal: ends });
  }

  const api: DiscordApi = {
    rest,
    call: <Result>(operation: string, call: Call) => api.attempt<Result, never>(operation, call, () => undefined),
    async attempt<Result, Other>(operation: string, call: Call, onRefusal: (refusal: Refusal) => Other | undefined) {
      try {
        return (await request(rest(), call)) as Result;
      } catch (error) {
        const refusal = refusalOf(error);
        const other = refusal === undefined ? undefined : onRefusal(refusal);
        if (other !== undefined) return other;
        throw mapError(error, operation, token);
      }
    },
    close() {
      made?.clearHashSweeper();
      made?.clearHandlerSweeper();
    },
  };
  return api;
}
