/** Tasks of one name run one after the other, as they were given; those of different names side by side. */
export interface InOrder {
  /** @returns what the task does; another one's failure is not this one's. */
  run<Result>(name: string, task: () => Promise<Result>): Promise<Result>;
  /** Resolves when all that were given by now have ended, well or not. */
  idle(): Promise<void>;
}

export function createInOrder(): InOrder {
  const last = new Map<string, Promise<void>>();
  return {
    run(name, task) {
      const next = (last.get(name) ?? Promise.resolve()).then(task);
      const ended = next.then(
        () => undefined,
        () => undefined,
      );
      last.set(name, ended);
      void ended.then(() => last.get(name) === ended && last.delete(name));
      return next;
    },
    async idle() {
      await Promise.all(last.values());
    },
  };
}
