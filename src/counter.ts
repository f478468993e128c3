/** Counts what each caller has open in this process. */
export function createCounter(most: number) {
  const open = new Map<string, number>();
  return {
    /** @returns what ends it, once; undefined where there are too many. */
    enter(caller: string): (() => void) | undefined {
      const now = open.get(caller) ?? 0;
      if (now >= most) return undefined;
      open.set(caller, now + 1);
      let left = false;
      return () => {
        if (left) return;
        left = true;
        const rest = (open.get(caller) ?? 1) - 1;
        if (rest === 0) open.delete(caller);
        else open.set(caller, rest);
      };
    },
  };
}
