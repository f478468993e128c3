/** What every store of documents has to agree on, so that one can take the place of another. */
import { createHash } from "node:crypto";
import { InputError } from "../../src/errors.ts";
import type { DocumentRef, NewDocument, Passage } from "../../src/knowledge.ts";

/** Of one tenant: some 20 MB of text, and as many vectors as are compared exactly within a second. */
export const defaultMostPassages = 20_000;

export function idOf({ collection, source }: DocumentRef): string {
  return createHash("sha256")
    .update(JSON.stringify([collection, source]))
    .digest("hex")
    .slice(0, 16);
}

/** What a passage is found by beside its own words. */
export function aboutOf({ title }: Pick<NewDocument, "title">, { section }: Passage): string {
  return section === undefined ? title : `${title} ${section}`;
}

/** @param taken passages of the tenant's other documents. @throws InputError where the document does not fit in beside them. */
export function checkRoom(taken: number, { passages }: Pick<NewDocument, "passages">, most: number): void {
  if (taken + passages.length <= most) return;
  const room = `${taken} of ${most} passages are taken, and this document has ${passages.length}`;
  throw new InputError(`There is no room for it: ${room}. Remove documents first.`, { status: 507 });
}
