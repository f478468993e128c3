/** Settings that hold secrets of Standard Webhooks. */

/** Of a setting that may hold several. */
export const secretsIn = (setting: string) => setting.split(/[\s,]+/).filter((one) => one !== "");
const advice = 'take what "openssl rand -base64 32" prints, with or without "whsec_" before it';

/** What is wrong with a setting that holds secrets, and what to do. */
export function secretProblem(setting: string): string | undefined {
  const secrets = secretsIn(setting);
  if (secrets.length === 0) return `is empty: ${advice}`;
  return secrets.every(isSecret) ? undefined : `is not valid, since a secret is base64: ${advice}`;
}

function isSecret(one: string): boolean {
  const bare = one.replace(/^whsec_/, "");
  // The decoder would pass over what is cut off or stands behind the padding.
  return bare.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(bare);
}
