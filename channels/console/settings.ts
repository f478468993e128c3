import { z } from "zod";
import { isKey, keyAdvice, keyDigest, keyName } from "../../src/api-keys.ts";

/** What every path begins with. */
export const consolePath = "/api/console/v1";

/** A mere key is an operator's without a name. */
const operator = z
  .preprocess(
    (given) => (typeof given === "string" ? { key: given } : given),
    z.strictObject({
      name: z
        .string()
        .regex(/^[\w@.+-]{1,64}$/, "is no name: use letters, digits and . _ - + @")
        .optional(),
      key: z.string().refine(isKey, `is no valid key: ${keyAdvice}`),
      /** The only one whose accounts they see; absent: all. */
      tenant: z.string().min(1, "is empty: name a tenant, or leave it out").optional(),
    }),
  )
  .transform(({ name, key, tenant }) => ({ name: name ?? `key ${keyName(key).slice(0, 8)}`, key, tenant }));
export type OperatorSettings = z.infer<typeof operator>;

/** ASCENT_OPERATOR_KEYS, or who works here by name. */
export const operatorsSettings = z
  .array(operator)
  .min(1, `holds no key: ${keyAdvice}, or leave it out`)
  .superRefine((all, context) => {
    const message = "has the key of another one: who did what would not be known";
    const digests = all.map(({ key }) => keyDigest(key).toString("hex"));
    for (const [at, digest] of digests.entries())
      if (digests.indexOf(digest) < at) context.addIssue({ code: "custom", path: [at, "key"], message });
  });
