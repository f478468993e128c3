import { createServer } from "node:net";

/** Below the range that systems take the ports of outgoing connections from: nobody else gets it while its owner is down. */
const lowest = 15_000;
/** Processes that look at the same time look in different slices, mostly: a port is free until somebody listens. */
const slices = 50;
const perSlice = 300;
const given = new Set<number>();

/** So many different ports of 127.0.0.1 that nobody listens on at this moment, none of them twice in a process's life. */
export async function freePorts(wanted: number): Promise<number[]> {
  const first = lowest + (process.pid % slices) * perSlice;
  const ports: number[] = [];
  if (given.size + wanted > perSlice) given.clear();
  while (ports.length < wanted) {
    const port = first + Math.floor(Math.random() * perSlice);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
  if (free) await new Promise((resolve) => server.close(resolve));
  return free;
}
