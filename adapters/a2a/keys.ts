/**
 * What an agent signs its card and its notifications with: an ES256 key that derives from the gateway's secret, so that all replicas
 * have the same one and nothing else has to be kept.
 */
import { createECDH, createHash, createPrivateKey, hkdfSync, sign, type JsonWebKey } from "node:crypto";

export interface SigningKey {
  readonly kid: string;
  readonly privateJwk: JsonWebKey;
  /** As the set at `jwks.json` lists it. */
  readonly publicJwk: JsonWebKey & { readonly kid: string; readonly alg: string; readonly use: string };
  /** A JSON Web Token of these claims. */
  token(claims: Readonly<Record<string, unknown>>): string;
}

export function createSigningKey(secret: string): SigningKey {
  const { d, point } = scalarOf(secret);
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString("base64url"));
  const crv = { kty: "EC", crv: "P-256", x: x ?? "", y: y ?? "" };
  const thumbprint = JSON.stringify({ crv: crv.crv, kty: crv.kty, x: crv.x, y: crv.y });
  const kid = createHash("sha256").update(thumbprint).digest("base64url");
  const privateJwk = { ...crv, d: d.toString("base64url") };
  const key = createPrivateKey({ key: privateJwk, format: "jwk" });
  return {
    kid,
    privateJwk,
    publicJwk: { ...crv, kid, alg: "ES256", use: "sig" },
    token(claims) {
      const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
      const content = `${encode({ alg: "ES256", kid, typ: "JWT" })}.${encode(claims)}`;
      const signature = sign("sha256", Buffer.from(content), { key, dsaEncoding: "ieee-p1363" });
      return `${content}.${signature.toString("base64url")}`;
    },
  };
}

/** A number that is no scalar of the curve is as rare as guessing one: then the next one is taken. */
function scalarOf(secret: string): { readonly d: Buffer; readonly point: Buffer } {
  for (let n = 0; ; n++) {
    const d = Buffer.from(hkdfSync("sha256", secret, "", `ascent a2a signing key ${n}`, 32));
    const ecdh = createECDH("prime256v1");
    try {
      ecdh.setPrivateKey(d);
      return { d, point: ecdh.getPublicKey() };
    } catch (error) {
      if (n > 3) throw error;
    }
  }
}
