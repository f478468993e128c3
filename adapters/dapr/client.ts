/** Dapr's own client, for what is not on the hot path; it is loaded when it is first needed. */
import type { DaprClient } from "@dapr/dapr";

export interface ClientOptions {
  /** http://host:port */
  readonly sidecarUrl: string;
  readonly apiToken?: string | undefined;
}

export async function daprClient({ sidecarUrl, apiToken }: ClientOptions): Promise<DaprClient> {
  const { DaprClient: Client, CommunicationProtocolEnum, LogLevel } = await import("@dapr/dapr");
  const { hostname, port } = new URL(sidecarUrl);
  return new Client({
    daprHost: hostname,
    daprPort: port,
    communicationProtocol: CommunicationProtocolEnum.HTTP,
    logger: { level: LogLevel.Error },
    ...(apiToken === undefined ? {} : { daprApiToken: apiToken }),
  });
}
