/** Seeded randomness: every choice of a run comes from here, each part of the world drawing from a stream of its own. */

export interface Random {
  /** In [0, 1). */
  float(): number;
  /** A whole number in [low, high], both included. */
  int(low: number, high: number): number;
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<Item>(items: readonly Item[]): Item;
}

/** FNV-1a with a final mix: spreads short, similar labels over 32 bits. */
export function hashOf(label: string, seed = 0): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let at = 0; at < label.length; at++) hash = Math.imul(hash ^ label.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** mulberry32. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const float = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const int = (low: number, high: number): number => low + Math.floor(float() * (high - low + 1));
  return {
    float,
    int,
    between: (low, high) => low + float() * (high - low),
    chance: (probability) => float() < probability,
    pick: (items) => {
      const item = items[int(0, items.length - 1)];
      if (item === undefined) throw new Error("nothing to pick from");
      return item;
    },
  };
}

export type Streams = (label: string) => Random;

/** A stream per label: what one part of the world draws does not shift what another draws, also after a plan was cut. */
export function streamsOf(seed: number): Streams {
  const streams = new Map<string, Random>();
  return (label) => {
    let stream = streams.get(label);
    if (stream === undefined) {
      stream = randomOf(hashOf(label, seed));
      streams.set(label, stream);
    }
    return stream;
  };
}
