/** What one gateway may hold. Every figure bounds memory, disk or work; the defaults suit a 512 MB machine. */
export interface Limits {
  /** There are several tenants: of handlers, window and backlog none takes more than it leaves free. */
  readonly shared: boolean;
  /** Handlers that run at once, per topic. */
  readonly handlers: number;
  /** Undelivered events kept in memory, per topic; the others are read from the file when their turn comes. */
  readonly windowRows: number;
  readonly windowBytes: number;
  /** Undelivered events of one subject kept in memory: a flood takes no more of the window than this. */
  readonly windowPerSubject: number;
  /** Undelivered events on disk, per topic: past it, publishing is refused. */
  readonly backlogRows: number;
  readonly backlogBytes: number;
  /** Undelivered events of one subject: past it, publishing for that subject is refused and others go on. */
  readonly backlogPerSubject: number;
  /** An actor that was not called for so long leaves the memory. */
  readonly idleMs: number;
  /** Reminders that run at once. */
  readonly reminders: number;
  /** Jobs that run at once. */
  readonly jobs: number;
  /** All blobs together: past it, storing one is refused. */
  readonly blobBytes: number;
  /** Those of these tenants; of another one, where there are several, as much as it leaves free. */
  readonly blobBytesOf: Readonly<Record<string, number>>;
  /** A blob that nobody used for so long is deleted. */
  readonly blobMs: number;
}

export const defaultLimits: Limits = {
  shared: false,
  handlers: 512,
  windowRows: 4096,
  windowBytes: 32 * 1024 * 1024,
  windowPerSubject: 16,
  backlogRows: 100_000,
  backlogBytes: 512 * 1024 * 1024,
  backlogPerSubject: 10_000,
  idleMs: 60_000,
  reminders: 256,
  jobs: 64,
  blobBytes: 2 * 1024 * 1024 * 1024,
  blobBytesOf: {},
  blobMs: 30 * 24 * 60 * 60 * 1000,
};
