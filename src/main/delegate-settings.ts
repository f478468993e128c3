/** Agents elsewhere, as ascent.yaml names them under `delegates`. */
import { createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { z } from "zod";
import { taskTools } from "../delegation-source.ts";

const address = z.url({ protocol: /^https?$/, message: "must be a URL that begins with http:// or https://" });
const mediaType = z.string().regex(/^[\w.+*-]+\/[\w.+*-]+$/, 'is no media type such as "text/plain" or "image/*"');
const headerName = z.string().regex(/^[A-Za-z0-9-]+$/, "is no header's name");

export const delegateSettings = z
  .strictObject({
    /** Its card, or what stands before "/.well-known/agent-card.json". */
    url: address.optional(),
    /** Its id on Dapr: it is called by service invocation. */
    app: z.string().min(1).optional(),
    /** A skilled agent in the gateway itself, under another name or with other bounds. */
    local: z.string().min(1).optional(),
    /** With `app`: its own name, where it is another one. */
    agent: z.string().min(1).optional(),
    apiKey: z.string().min(1, "is empty: set it, or leave it out").optional(),
    headers: z.record(headerName, z.string()).default({}),
    /** It is an agent of ours that has the gateway's own ASCENT_SECRET, and needs no key. */
    sameSecret: z.boolean().default(false),
    /** Its card has to be signed with one of these: PEM, or a JWK as JSON. */
    signedBy: z.array(z.string().refine(isKey, "is no public key: give PEM, or a JWK as JSON")).default([]),
    /** Origins besides that of `url` that its card may lead to. */
    origins: z.array(address).default([]),
    /** A task that takes longer is cancelled. By default a day with `url`, and as long as it takes with others. */
    timeoutSeconds: z.number().positive().optional(),
    /** Media types that go both ways, whatever its card says. */
    modalities: z.array(mediaType).min(1, "names none").optional(),
  })
  .superRefine((given, context) => {
    const ways = (["url", "app", "local"] as const).filter((way) => given[way] !== undefined);
    if (ways.length !== 1)
      context.addIssue({ code: "custom", message: "needs one of url, app and local, and no other of them" });
  });
export type DelegateSettings = z.output<typeof delegateSettings>;

/** It becomes the name of a tool. */
export const delegateName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,49}$/, "is no name: use up to 50 small letters, digits and dashes")
  .refine(
    (name) => !taskTools.some((tool) => tool === name),
    `is taken: ${taskTools.join(", ")} are tools of their own`,
  );

/** @throws where it is none. */
export function keyOf(given: string): { readonly key: KeyObject; readonly kid?: string | undefined } {
  if (!given.trim().startsWith("{")) return { key: createPublicKey(given) };
  const jwk = JSON.parse(given) as JsonWebKey & { kid?: string };
  return { key: createPublicKey({ key: jwk, format: "jwk" }), kid: jwk.kid };
}

function isKey(given: string): boolean {
  try {
    keyOf(given);
    return true;
  } catch {
    return false;
  }
}
