/** The agent's card, signed, in the protocol's two versions. */
import { generateAgentCardSignature, AgentCard } from "@a2a-js/sdk";
import { LegacyRestTransportHandler } from "@a2a-js/sdk/compat/v0_3/server";
import { duplicateInterfacesForLegacy } from "@a2a-js/sdk/compat/v0_3";
import { ServerCallContext, type A2ARequestHandler } from "@a2a-js/sdk/server";
import { chainExtension, mostHops } from "../../src/chain.ts";
import type { Profile } from "../../src/skilled.ts";
import { eraseExtension } from "./extensions.ts";
import type { SigningKey } from "./keys.ts";

/** The URI of what the extended card says of this agent's bounds. */
const limitsExtension = "urn:ascent:a2a:limits:v1";

export interface CardParts {
  readonly profile: Profile;
  /** Where the agent is called. */
  readonly url: string;
  /** Where by gRPC, with its name as the tenant; undefined: it is not. */
  readonly grpc?: string | undefined;
  /** Where its keys are. */
  readonly jwksUrl: string;
  readonly key: SigningKey;
  /** What authenticated callers see besides. */
  readonly limits?: Readonly<Record<string, number>>;
}

export async function createCard({ profile, url, grpc, jwksUrl, key, limits }: CardParts): Promise<AgentCard> {
  const interfaces = ["JSONRPC", "HTTP+JSON"].map((protocolBinding) => ({ url, protocolBinding, tenant: "" }));
  // One port for all agents: the tenant says which.
  if (grpc !== undefined) interfaces.push({ url: grpc, protocolBinding: "GRPC", tenant: profile.name });
  const chain = {
    uri: chainExtension,
    description: `Agents that a message came through, of ${mostHops} at most; a circle is refused.`,
    required: false,
    params: undefined,
  };
  const erase = {
    uri: eraseExtension,
    description: "A caller's tasks can be erased: DELETE /tasks, DELETE /tasks/{id}.",
    required: false,
    params: undefined,
  };
  const bounds = { uri: limitsExtension, description: "This agent's bounds.", required: false, params: limits };
  const card: AgentCard = {
    name: profile.title,
    description: profile.description,
    supportedInterfaces: duplicateInterfacesForLegacy(
      interfaces.map((one) => ({ ...one, protocolVersion: "1.0" })),
      ["JSONRPC"],
    ),
    provider: undefined,
    version: profile.version,
    capabilities: {
      streaming: true,
      pushNotifications: true,
      extendedAgentCard: true,
      extensions: limits === undefined ? [chain, erase] : [chain, erase, bounds],
    },
    securitySchemes: {
      bearer: {
        scheme: { $case: "httpAuthSecurityScheme", value: { scheme: "Bearer", description: "", bearerFormat: "" } },
      },
      apiKey: {
        scheme: { $case: "apiKeySecurityScheme", value: { location: "header", name: "X-API-Key", description: "" } },
      },
    },
    securityRequirements: [{ schemes: { bearer: { list: [] } } }, { schemes: { apiKey: { list: [] } } }],
    defaultInputModes: [...profile.inputModes],
    defaultOutputModes: [...profile.outputModes],
    skills: profile.skills.map(({ id, name, description, tags, examples = [] }) => ({
      id,
      name,
      description,
      tags: [...tags],
      examples: [...examples],
      inputModes: [],
      outputModes: [],
      securityRequirements: [],
    })),
    signatures: [],
  };
  return signed(card, { alg: "ES256", kid: key.kid, typ: "JOSE", jku: jwksUrl }, key);
}

/**
 * Twice. The SDK reads a card that it holds as if it were JSON, and so loses the security schemes, when it signs and when it
 * verifies: the second signature is for its clients, the first one, over the card's JSON, for all others.
 */
async function signed(card: AgentCard, header: JWSHeader, key: SigningKey): Promise<AgentCard> {
  const sign = generateAgentCardSignature(key.privateJwk as Parameters<typeof generateAgentCardSignature>[0], header);
  const { signatures: whole } = await sign(AgentCard.toJSON(card) as AgentCard);
  const { signatures: held } = await sign(card);
  return { ...card, signatures: [...whole, ...held] };
}
type JWSHeader = Parameters<typeof generateAgentCardSignature>[1];

/**
 * As JSON for a client of this version. Who names none may be of either: the older form, with the newer one's interfaces, which
 * clients of the newer one read too.
 */
export async function cardFor(card: AgentCard, version: string | null): Promise<unknown> {
  const current = AgentCard.toJSON(card) as { supportedInterfaces: unknown };
  if (version !== null && version !== "0.3") return current;
  // Only there is the SDK's translation of a card to be had.
  const handler = { getAuthenticatedExtendedAgentCard: async () => card } as unknown as A2ARequestHandler;
  const legacy = await new LegacyRestTransportHandler(handler).getAuthenticatedExtendedAgentCard(
    new ServerCallContext(),
  );
  return version === null ? { ...legacy, supportedInterfaces: current.supportedInterfaces } : legacy;
}
