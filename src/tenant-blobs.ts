/** Blobs of one tenant: the same bytes are another blob for another tenant, and nobody sees, prolongs or deletes that one. */
import { digestOf } from "./ids.ts";
import type { Blobs } from "./ports.ts";

/** Those without a tenant, and those that were there before there were tenants. */
const usual = "default";
const digestLength = 64;

/** What a blob's id ends with, behind the digest of its bytes. */
export function blobSuffix(tenant = usual): string {
  return tenant === usual ? "" : `-${digestOf(tenant)}`;
}

/** @returns whose it is, as {@link blobSuffix} says it. */
export function suffixOf(id: string): string {
  return id.slice(digestLength);
}

/** @param owner whose they are besides, where who puts one does not say: see {@link Blobs.put}. */
export function blobsOf(blobs: Blobs, tenant: string, owner?: string): Blobs {
  const own = blobSuffix(tenant);
  const isOwn = (id: string): boolean => suffixOf(id) === own;
  return {
    put: (body, options) => blobs.put(body, { ...(owner !== undefined && { owner }), ...options, tenant }),
    get: async (id, options) => (isOwn(id) ? blobs.get(id, options) : undefined),
    remove: async (id) => (isOwn(id) ? blobs.remove(id) : undefined),
  };
}
