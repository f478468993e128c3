/** What `ascent doctor` finds out about a number on the Cloud API. */
import type { Finding } from "../../src/channel.ts";
import { reasonOf } from "../../src/errors.ts";
import type { GraphApi } from "./api.ts";
import { mapError } from "./errors.ts";
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
    const reason = reasonOf(mapError(error, "phone number", options.token));
    return [
      {
        ok: false,
        text: `WhatsApp: the token or the phone number's id was not accepted (${reason})`,
        next: "Compare WHATSAPP_TOKEN and WHATSAPP_PHONE_NUMBER_ID with WhatsApp > API Setup, and see that this machine reaches WHATSAPP_API_ROOT.",
      },
    ];
  }
  try {
    await api.phoneNumber(signal, true);
    findings.push({ ok: true, text: "WhatsApp: the app's secret is that of the token's app" });
  } catch (error) {
    const reason = reasonOf(mapError(error, "phone number", options.token));
    findings.push({
      ok: false,
      text: `WhatsApp: WHATSAPP_APP_SECRET is not the secret of the app that the token belongs to (${reason})`,
      next: "Copy it from App settings > Basic > App secret; with a wrong one every webhook is refused with 401.",
    });
  }
  const where = webhook.startsWith("https://") ? webhook : `https://<this gateway's public name>${webhook}`;
  const text = `WhatsApp: register ${where} at Meta with WHATSAPP_VERIFY_TOKEN, and subscribe to the field "messages"`;
  findings.push({ ok: true, text });
  return findings;
}
