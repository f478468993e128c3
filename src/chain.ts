/**
 * The agents that a message came through, so that agents that ask each other in a circle come to an end. It travels in the
 * metadata of an A2A message under {@link chainExtension}; whoever asks another agent adds itself.
 */
import { InputError } from "./errors.ts";

/** The URI of the A2A extension: `metadata[uri] = ["<agent>", …]`, the first one first. */
export const chainExtension = "urn:ascent:a2a:chain:v1";
/** Agents that a message may have come through. */
export const mostHops = 8;
const longestName = 200;

/** @throws InputError where it is none. */
export function readChain(metadata: Readonly<Record<string, unknown>> | undefined): readonly string[] {
  const given = metadata?.[chainExtension];
  if (given === undefined) return [];
  const fits = (one: unknown): one is string => typeof one === "string" && one !== "" && one.length <= longestName;
  if (Array.isArray(given) && given.every(fits)) return given;
  throw new InputError(`metadata["${chainExtension}"] must be a list of names of up to ${longestName} characters`);
}

/** @throws InputError (409) where the message has come round to `own`, or through too many agents. */
export function checkChain(chain: readonly string[], own: string): void {
  if (chain.includes(own))
    throw new InputError("This agent is asked by way of itself: agents are delegating in a circle, which ends here.", {
      status: 409,
    });
  checkHops(chain);
}

/** @throws InputError (409) where nobody further is to be asked. */
export function checkHops(chain: readonly string[]): void {
  if (chain.length >= mostHops)
    throw new InputError(`This came through ${chain.length} agents, of ${mostHops} at most: it ends here.`, {
      status: 409,
    });
}

/** What an agent sends on with. */
export function chainOf(chain: readonly string[], own: string): { readonly [chainExtension]: readonly string[] } {
  return { [chainExtension]: [...chain, own] };
}
