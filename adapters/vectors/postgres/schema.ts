/** The tables of {@link layouts} as the queries know them. Every key begins with the tenant. */
import { bigint, boolean, customType, integer, pgSchema, primaryKey, real, text } from "drizzle-orm/pg-core";

const schema = pgSchema("ascent_knowledge");
const words = customType<{ data: string }>({ dataType: () => "tsvector" });

export const documents = schema.table(
  "document",
  {
    tenant: text().notNull(),
    id: text().notNull(),
    collection: text().notNull(),
    source: text().notNull(),
    title: text().notNull(),
    digest: text().notNull(),
    passages: integer().notNull(),
    cut: boolean().notNull(),
    model: text(),
    added: bigint({ mode: "number" }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.id] })],
);

export const passages = schema.table("passage", {
  n: bigint({ mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
  tenant: text().notNull(),
  document: text().notNull(),
  section: text(),
  page: integer(),
  text: text().notNull(),
  words: words().notNull(),
  vector: real().array(),
});
