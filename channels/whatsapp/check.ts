/** What `ascent doctor` finds out about a number on the Cloud API. */
import type { Finding } from "../../src/channel.ts";
import { reasonOf, TerminalError } from "../../src/errors.ts";
import type { GraphApi } from "./api.ts";
import { codes, GraphError, mapError } from "./errors.ts";
import type { CloudOptions } from "./settings.ts";

/** The token of the handshake shows wrong at Meta only, when the address is registered there. */
export async function check(
  api: GraphApi,
  options: CloudOptions,
  webhook: string,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  try {
    const { display_phone_number: number, verified_name: name } = await api.phoneNumber(signal);
    const who = [name, number].filter((one) => one !== undefined).join(", ");
    findings.push({ ok: true, text: `WhatsApp: the token answers for ${who === "" ? "the number" : who}` });
  } catch (error) {
    return [numberFinding(error, options)];
  }
  try {
    await api.phoneNumber(signal, true);
    findings.push({ ok: true, text: "WhatsApp: the app's secret is that of the token's app" });
  } catch (error) {
    findings.push(secretFinding(error, options));
  }
  const where = webhook.startsWith("https://") ? webhook : `https://<this gateway's public name>${webhook}`;
  const text = `WhatsApp: register ${where} at Meta with WHATSAPP_VERIFY_TOKEN, and subscribe to the field "messages"`;
  findings.push({ ok: true, text });
  return findings;
}

function numberFinding(error: unknown, { token }: CloudOptions): Finding {
  const mapped = mapError(error, "phone number", token);
  if (!(mapped instanceof TerminalError)) return noAnswer(mapped);
  const code = error instanceof GraphError ? error.code : undefined;
  if (code === codes.tokenInvalid || code === codes.tokenMissing) {
    const next = "Put a system user's permanent token from Meta's business settings into WHATSAPP_TOKEN (token).";
    return { ok: false, text: "WhatsApp: the token was not accepted", next };
  }
  if (code === codes.invalidParameter || code === codes.noSuchObject) {
    const text = "WhatsApp: there is no such phone number's id, or none that the token may see";
    return { ok: false, text, next: "Compare WHATSAPP_PHONE_NUMBER_ID (phoneNumberId) with WhatsApp > API Setup." };
  }
  const next = "Give the token's system user the app with whatsapp_business_messaging, and the WhatsApp account.";
  return { ok: false, text: `WhatsApp: Meta refuses the token this number (${reasonOf(mapped)})`, next };
}

function secretFinding(error: unknown, { token }: CloudOptions): Finding {
  const mapped = mapError(error, "phone number", token);
  if (!(mapped instanceof TerminalError)) return noAnswer(mapped);
  return {
    ok: false,
    text: "WhatsApp: WHATSAPP_APP_SECRET (appSecret) is not the secret of the app that the token belongs to",
    next: "Copy it from App settings > Basic > App secret; with a wrong one every webhook is refused with 401.",
  };
}

function noAnswer(error: Error): Finding {
  const next = "See that this machine reaches WHATSAPP_API_ROOT (apiRoot); if it does, try again later.";
  return { ok: false, text: `WhatsApp: no answer to the token (${reasonOf(error)})`, next };
}
