/** Files of a request: bytes go into the gateway's store, addresses are looked at before anybody fetches them. */
import type { ChannelDeps } from "../../src/channel.ts";
import type { SafeFetch } from "../../src/fetch.ts";
import type { ConversationId } from "../../src/ids.ts";
import type { InboundPart } from "../../src/message.ts";
import type { Given } from "./content.ts";
import { RequestError } from "./errors.ts";

/**
 * The same parts whenever it is asked again: bytes are stored under a digest of them and the owner.
 * @param safeFetch absent: addresses are not looked at.
 * @throws RequestError for an address that leads into a private network; InputError where the store is full.
 */
export async function partsOf(
  given: readonly Given[],
  { blobs }: Pick<ChannelDeps, "blobs">,
  owner: ConversationId,
  safeFetch: SafeFetch | undefined,
): Promise<InboundPart[]> {
  const parts: InboundPart[] = [];
  for (const one of given) {
    if (one.kind === "text") {
      parts.push({ kind: "text", text: one.text, format: "plain" });
      continue;
    }
    const { media: kind, type, name, from, param } = one;
    const common = { kind, type, ...(name !== undefined && { name }) };
    if ("url" in from) {
      const reason = await safeFetch?.refusal(from.url);
      if (reason !== undefined)
        throw new RequestError(`${param} is refused: ${reason}`, { param, code: "invalid_url" });
      parts.push({ ...common, source: { from: "url", url: from.url } });
    } else {
      const bytes = Buffer.from(from.base64, "base64");
      const stream = new Blob([bytes]).stream();
      const named = { type, maxBytes: bytes.length, owner, ...(name !== undefined && { name }) };
      const blob = await blobs.put(stream, named);
      parts.push({ ...common, source: { from: "blob", id: blob.id }, size: blob.size });
    }
  }
  return parts;
}
