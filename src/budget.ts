/** Bounds what runs at once by what each of it takes of a whole: bytes, threads. */

/** Runs the work when its share is free, in the order of asking. More than the whole counts as the whole. */
export type Budget = <Result>(share: number, work: () => Promise<Result>) => Promise<Result>;

export function createBudget(whole: number): Budget {
  let free = whole;
  const waiting: { readonly share: number; readonly start: () => void }[] = [];

  function release(share: number): void {
    free += share;
    for (let next = waiting[0]; next !== undefined && next.share <= free; next = waiting[0]) {
      waiting.shift();
      free -= next.share;
      next.start();
    }
  }

  return async (asked, work) => {
    const share = Math.min(Math.max(asked, 0), whole);
    if (waiting.length > 0 || share > free) {
      await new Promise<void>((start) => waiting.push({ share, start }));
    } else free -= share;
    try {
      return await work();
    } finally {
      release(share);
    }
  };
}
