/** What looks like a secret, told from what only resembles one by its check digits or its maker's prefix. */
import type { SecretKind } from "./settings.ts";

type Finder = { readonly looks: RegExp; readonly is?: (found: string) => boolean };

const finders: Readonly<Record<SecretKind, readonly Finder[]>> = {
  cards: [{ looks: /(?<![\d.])\d(?:[ -]?\d){12,18}(?!\d)/g, is: isCard }],
  ibans: [{ looks: /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b/g, is: isIban }],
  keys: [
    { looks: /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]{0,20000}?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g },
    { looks: /\b(?:sk|pk|rk)[-_](?:[a-z0-9]{1,20}[-_]){0,3}[A-Za-z0-9_-]{16,}/g },
    { looks: /\b(?:gh[opsur]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|xox[abeoprs]-[\w-]{10,})/g },
    { looks: /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{35}/g },
    { looks: /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}/g },
    { looks: /\bwhsec_[A-Za-z0-9+/=]{20,}/g },
    { looks: /\b\d{8,10}:[A-Za-z0-9_-]{35}\b/g },
  ],
};

export function cleanSecrets(
  text: string,
  kinds: readonly SecretKind[],
): { readonly text: string; readonly found: number } {
  let found = 0;
  let clean = text;
  for (const { looks, is = () => true } of kinds.flatMap((kind) => finders[kind])) {
    clean = clean.replace(looks, (one) => {
      if (!is(one)) return one;
      found += 1;
      return "[left out]";
    });
  }
  return { text: clean, found };
}

/** Luhn's check digit, and a length and a first digit that cards have. */
function isCard(found: string): boolean {
  const digits = Array.from(found.replace(/\D/g, ""), Number);
  if (digits.length < 13 || digits.length > 19 || ![2, 3, 4, 5, 6].includes(digits[0] ?? 0)) return false;
  const sum = digits.toReversed().reduce((all, digit, at) => {
    const doubled = at % 2 === 0 ? digit : digit * 2;
    return all + (doubled > 9 ? doubled - 9 : doubled);
  }, 0);
  return sum % 10 === 0;
}

/** ISO 13616: the remainder of 97 is 1. */
function isIban(found: string): boolean {
  const plain = found.replaceAll(" ", "");
  if (plain.length < 15 || plain.length > 34) return false;
  const turned = `${plain.slice(4)}${plain.slice(0, 4)}`.replace(/[A-Z]/g, (letter) => String(parseInt(letter, 36)));
  return BigInt(turned) % 97n === 1n;
}
