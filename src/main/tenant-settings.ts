/** Whether the tenants in ascent.yaml and those of its accounts are the same. */
import type { AccountSettings, Settings } from "./settings.ts";

/** What is wrong, a sentence each. */
export function tenantProblems({ tenants, channels, limits, runtime }: Settings): string[] {
  if (tenants === undefined) return [];
  const names = Object.keys(tenants);
  const accounts = Object.entries(channels).flatMap(([channel, of]) =>
    Object.entries(of as Record<string, AccountSettings>).map(([account, own]) => ({
      place: `channels.${channel}.${account}`,
      ...own,
    })),
  );
  const unknown = accounts
    .filter(({ tenant, enabled }) => enabled && !names.includes(tenant))
    .map(
      ({ place, tenant }) =>
        `${place}.tenant: there is no tenant "${tenant}"; ` +
        `tenants names ${names.join(", ") || "none"}: give the account one of them, or add it there`,
    );
  const unused = names
    .filter((name) => !accounts.some(({ tenant }) => tenant === name))
    .map((name) => `tenants.${name}: no account has it: write "tenant: ${name}" under one, or leave it out`);
  const tooMuch = Object.entries(tenants).flatMap(([name, { limits: own }]) =>
    (["turns", "blobBytes"] as const)
      .filter((limit) => (own[limit] ?? 0) > limits[limit])
      .map(
        (limit) =>
          `tenants.${name}.limits.${limit}: is more than limits.${limit} (${limits[limit]}): raise that one, too`,
      ),
  );
  const nowhere = Object.entries(tenants)
    .filter(([, { limits: own }]) => runtime === "dapr" && own.blobBytes !== undefined)
    .map(([name]) => `tenants.${name}.limits.blobBytes: the Dapr runtime does not count bytes: leave it out`);
  return [...unknown, ...unused, ...tooMuch, ...nowhere];
}
