import { test, beforeAll, afterAll } from "vitest";
import { createGateway, type GatewayProcess } from "../integration/gateway-process.ts";
let g: GatewayProcess;
beforeAll(async () => { g = await createGateway({ env: () => ({ ASCENT_MODEL: "demo" }) }); await g.start(); });
afterAll(() => g.close());
test("esc", async () => {
  const r = await fetch(`${g.url}/api/session`, { method: "POST", headers: { origin: g.url } });
  const cookie = r.headers.get("set-cookie")!.split(";")[0]!;
  const ev = await fetch(`${g.url}/api/events?after=0`, { headers: { cookie } });
  const out: string[] = [];
  void (async () => { for await (const c of ev.body!) out.push(`${Math.round(performance.now())} ${new TextDecoder().decode(c).replaceAll("\n", " ").slice(0, 160)}`); })().catch(() => {});
  await fetch(`${g.url}/api/messages`, { method: "POST", headers: { cookie, origin: g.url, "content-type": "application/json" }, body: JSON.stringify({ id: "c1", text: "write a long story" }) });
  await new Promise((r) => setTimeout(r, 3500));
  console.log(out.slice(0, 6).join("\n"), "\n...\n", out.slice(-4).join("\n"));
});
