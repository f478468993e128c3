import { afterEach, describe, expect, test } from "vitest";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { RetryableError, TerminalError } from "../../src/errors.ts";
import { TargetRefusedError } from "../../src/fetch.ts";
import { listen, type Listening } from "../fakes/http.ts";

const open: Listening[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});
async function serve(handler: Parameters<typeof listen>[0]): Promise<Listening> {
  const server = await listen(handler);
  open.push(server);
  return server;
}

describe("what an outsider's URL may reach", () => {
  const refused = [
    ["loopback", "http://127.0.0.1/"],
    ["the rest of loopback", "http://127.9.9.9/"],
    ["a name that leads to loopback", "http://localhost/"],
    ["the same with the root's dot", "http://localhost./"],
    ["decimal", "http://2130706433/"],
    ["octal", "http://0177.0.0.1/"],
    ["hexadecimal", "http://0x7f.1/"],
    ["short", "http://127.1/"],
    ["full-width digits", "http://①②⑦.0.0.1/"],
    ["this host", "http://0.0.0.0/"],
    ["private 10", "http://10.1.2.3/"],
    ["private 172.16", "http://172.16.0.1/"],
    ["private 192.168", "http://192.168.0.1/"],
    ["carrier-grade NAT", "http://100.64.0.1/"],
    ["link-local metadata", "http://169.254.169.254/latest/meta-data"],
    ["Azure's metadata", "http://168.63.129.16/"],
    ["multicast", "http://224.0.0.1/"],
    ["broadcast", "http://255.255.255.255/"],
    ["reserved", "http://240.0.0.1/"],
    ["IPv6 loopback", "http://[::1]/"],
    ["IPv6 unspecified", "http://[::]/"],
    ["IPv4-mapped", "http://[::ffff:127.0.0.1]/"],
    ["IPv4-mapped public: the form itself is refused", "http://[::ffff:8.8.8.8]/"],
    ["IPv4-compatible", "http://[::127.0.0.1]/"],
    ["IPv4-translated", "http://[::ffff:0:127.0.0.1]/"],
    ["NAT64", "http://[64:ff9b::127.0.0.1]/"],
    ["6to4", "http://[2002:7f00:1::]/"],
    ["Teredo", "http://[2001::1]/"],
    ["unique local metadata", "http://[fd00:ec2::254]/"],
    ["IPv6 link-local", "http://[fe80::1]/"],
    ["IPv6 multicast", "http://[ff02::1]/"],
    ["unassigned IPv6", "http://[4000::1]/"],
    ["another scheme", "file:///etc/passwd"],
    ["credentials", "http://user:pass@example.com/"],
    ["no URL", "callback"],
  ] as const;
  test.each(refused)("%s is refused", async (_name, url) => {
    const safeFetch = createSafeFetch();
    await expect(safeFetch(url)).rejects.toBeInstanceOf(TargetRefusedError);
    expect(await safeFetch.refusal(url)).toEqual(expect.any(String));
  });

  test.each(["http://8.8.8.8/", "https://[2606:4700:4700::1111]/"])("%s is not refused", async (url) => {
    expect(await createSafeFetch().refusal(url)).toBeUndefined();
  });

  test("one private address among public ones refuses the host", async () => {
    const resolve = async () => [
      { address: "93.184.216.34", family: 4 },
      { address: "10.0.0.1", family: 4 },
    ];
    expect(await createSafeFetch({ resolve }).refusal("http://mixed.example/")).toContain("not public");
  });

  test("an allowed name reaches its private address, its neighbour does not", async () => {
    const server = await serve((_request, response) => response.end("hello"));
    const safeFetch = createSafeFetch({ allowHosts: ["localhost"] });
    const answer = await safeFetch(`http://localhost:${server.port}/`);
    expect(new TextDecoder().decode(answer.body)).toBe("hello");
    await expect(safeFetch(server.url)).rejects.toBeInstanceOf(TargetRefusedError);
    const byPort = createSafeFetch({ allowHosts: [`127.0.0.1:${server.port}`] });
    expect((await byPort(server.url)).status).toBe(200);
    expect(await byPort.refusal("http://127.0.0.1:1/")).toContain("not public");
  });

  test("the checked address is the one connected to, whatever the name resolves to later", async () => {
    const server = await serve((_request, response) => response.end());
    const answers = ["127.0.0.1", "192.0.2.1"];
    let asked = 0;
    const resolve = async () => [{ address: answers[asked++] ?? "192.0.2.2", family: 4 }];
    // No resolver but ours knows the name: an unpinned connection would fail, a second look-up would lead elsewhere.
    const safeFetch = createSafeFetch({ resolve, allowHosts: ["rebind.invalid"] });
    expect((await safeFetch(`http://rebind.invalid:${server.port}/`)).status).toBe(200);
    expect(asked).toBe(1);
  });

  test("a name that was public when it was checked is refused once it leads inside", async () => {
    const answers = ["8.8.8.8", "127.0.0.1"];
    let asked = 0;
    const resolve = async () => [{ address: answers[asked++] ?? "", family: 4 }];
    const safeFetch = createSafeFetch({ resolve });
    expect(await safeFetch.refusal("http://rebind.invalid/")).toBeUndefined();
    await expect(safeFetch("http://rebind.invalid/")).rejects.toBeInstanceOf(TargetRefusedError);
  });

  test("a redirect is checked like the first target", async () => {
    const inner = await serve((_request, response) => response.end("secret"));
    const outer = await serve((_request, response) => {
      response.writeHead(302, { location: inner.url }).end();
    });
    const safeFetch = createSafeFetch({ allowHosts: [`127.0.0.1:${outer.port}`] });
    await expect(safeFetch(outer.url)).rejects.toBeInstanceOf(TargetRefusedError);
  });
});

describe("limits", () => {
  test("redirects are followed a few times for a GET and never for a POST", async () => {
    const server = await serve((request, response) => {
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end(request.headers.authorization ?? "none");
      else response.writeHead(307, { location: `/${left - 1}` }).end();
    });
    const safeFetch = createSafeFetch({ allowHosts: ["127.0.0.1"] });
    expect((await safeFetch(`${server.url}/3`)).status).toBe(200);
    await expect(safeFetch(`${server.url}/4`)).rejects.toBeInstanceOf(TerminalError);
    expect((await safeFetch(`${server.url}/1`, { method: "POST", body: "x" })).status).toBe(307);
  });

  test("credentials do not follow a redirect to another origin", async () => {
    const seen: unknown[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end();
    });
    const server = await serve((_request, response) => {
      response.writeHead(302, { location: `http://localhost:${other.port}/` }).end();
    });
    const safeFetch = createSafeFetch({ allowHosts: ["127.0.0.1", "localhost"] });
    await safeFetch(server.url, { headers: { Authorization: "Bearer x" } });
    expect(seen).toEqual([undefined]);
  });

  test("a response over the limit is given up, one that is not read is not", async () => {
    const server = await serve((_request, response) => {
      response.write("x".repeat(5000));
      response.end("x".repeat(5000));
    });
    const safeFetch = createSafeFetch({ allowHosts: ["127.0.0.1"], maxBytes: 8000 });
    await expect(safeFetch(server.url)).rejects.toBeInstanceOf(TerminalError);
    expect((await safeFetch(server.url, { maxBytes: 0 })).body.length).toBe(0);
    expect((await safeFetch(server.url, { maxBytes: 10_000 })).body.length).toBe(10_000);
  });

  test("a server that never answers, or never ends, meets the deadline", async () => {
    const server = await serve((request, response) => {
      if (request.url === "/trickle") response.write("x");
    });
    const safeFetch = createSafeFetch({ allowHosts: ["127.0.0.1"], timeoutMs: 150 });
    await expect(safeFetch(server.url)).rejects.toThrow("within 150 ms");
    await expect(safeFetch(`${server.url}/trickle`)).rejects.toThrow("within 150 ms");
  });

  test("a slow look-up meets the deadline too, and an abort keeps its reason", async () => {
    const resolve = () => new Promise<never>(() => undefined);
    const safeFetch = createSafeFetch({ resolve, timeoutMs: 100 });
    await expect(safeFetch("http://slow.example/")).rejects.toBeInstanceOf(RetryableError);
    const reason = new Error("stopped");
    await expect(safeFetch("http://slow.example/", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test("nobody listening is worth another try", async () => {
    const server = await serve((_request, response) => response.end());
    await server.close();
    open.length = 0;
    const safeFetch = createSafeFetch({ allowHosts: ["127.0.0.1"] });
    await expect(safeFetch(server.url)).rejects.toBeInstanceOf(RetryableError);
  });
});
