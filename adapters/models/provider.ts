/** Who serves a vendor's models: its address, its key, and the line before it. */
import { createHash } from "node:crypto";
import { OpenAIProvider } from "@openai/agents";
import OpenAI from "openai";
import { TerminalError } from "../../src/errors.ts";
import type { MinuteLimits, RequestWindow } from "../../src/model-line.ts";
import type { Clock } from "../../src/ports.ts";
import type { KeepAliveFetch } from "./fetch.ts";
import { createGate, type Gate } from "./gate.ts";
import { heard } from "./said.ts";
import { keyNames, type Vendor } from "./spec.ts";
import { createWindow } from "./window.ts";

export interface ProviderLimits extends MinuteLimits {
  /** Requests at once. */
  readonly concurrency?: number | undefined;
}

export interface ProviderDeps {
  readonly clock: Clock;
  /** What all replicas together asked of the provider with this name, which tells nothing of its key; else each counts by itself. */
  readonly sharedWindow?: ((provider: string, limits: MinuteLimits, own: RequestWindow) => RequestWindow) | undefined;
}

/** Of all vendors. */
export interface Access {
  readonly apiKeys?: Partial<Readonly<Record<Vendor, string | undefined>>>;
  /** Where the vendor is reached, with the version in the path. `compatible` has no default. */
  readonly baseURLs?: Partial<Readonly<Record<Vendor, string | undefined>>>;
}

export interface ProviderOptions {
  readonly vendor: Vendor;
  readonly access: Access;
  readonly limits: ProviderLimits;
  readonly timeoutMs: number;
  readonly fetch: KeepAliveFetch;
}

export interface Provider {
  readonly client: OpenAI;
  readonly models: OpenAIProvider;
  readonly gate: Gate;
}

/** @throws TerminalError as {@link accessOf} */
export function createProvider(of: ProviderOptions, { clock, sharedWindow }: ProviderDeps): Provider {
  const { vendor, timeoutMs, fetch } = of;
  const access = accessOf(vendor, of.access);
  const { concurrency, ...minute } = of.limits;
  const counts = minute.requestsPerMinute !== undefined || minute.tokensPerMinute !== undefined;
  const own = counts ? createWindow(minute, clock) : undefined;
  const name = createHash("sha256")
    .update(JSON.stringify([vendor, access]))
    .digest("base64url");
  const window = own && (sharedWindow?.(name, minute, own) ?? own);
  const gate = createGate({ clock, window, concurrency });
  // Requests are tried again by the route: each try has its place in the line.
  const client = clientAt(access, timeoutMs, 0, heard(fetch, gate));
  return { client, gate, models: new OpenAIProvider({ openAIClient: client, useResponses: vendor === "openai" }) };
}

const defaultURLs: Partial<Record<Vendor, string>> = {
  openai: "https://api.openai.com/v1",
  gemini: "https://generativelanguage.googleapis.com/v1beta/openai/",
};

/** Nulls keep the client from reading its own environment variables; its log would print what a server sent. */
export function clientAt(
  access: { readonly apiKey: string; readonly baseURL: string },
  timeout: number,
  maxRetries: number,
  fetch: KeepAliveFetch,
): OpenAI {
  const environment = { organization: null, project: null, webhookSecret: null, adminAPIKey: null } as const;
  return new OpenAI({ ...environment, ...access, timeout, maxRetries, fetch, logLevel: "off" });
}

/** @throws TerminalError that names the setting to set. */
export function accessOf(vendor: Vendor, settings: Access): { readonly apiKey: string; readonly baseURL: string } {
  const apiKey = settings.apiKeys?.[vendor] || (vendor === "compatible" ? "none" : undefined);
  const baseURL = settings.baseURLs?.[vendor] || defaultURLs[vendor];
  if (apiKey === undefined) throw new TerminalError(`${vendor} needs a key: ${keyNames[vendor]} is not set`);
  if (baseURL === undefined) throw new TerminalError(`${vendor} needs an address: OPENAI_BASE_URL is not set`);
  if (!URL.canParse(baseURL)) throw new TerminalError(`The address of ${vendor} is not a URL`);
  return { apiKey, baseURL };
}
