/** What platform and model saw of the messages that a judgement names: for whoever looks for the cause. */
import { isAnswer } from "../fakes/telegram/log.ts";
import { tokensIn } from "../fakes/tokens.ts";
import type { Judged } from "../integration/stage.ts";

const most = 6;

/** @param since what times are counted from, on the clock of the fakes */
export function explain(
  { platform, model }: Pick<Judged, "platform" | "model">,
  wrong: readonly string[],
  since: number,
) {
  const at = (time: number | undefined) => (time === undefined ? "never" : `${((time - since) / 1_000).toFixed(2)} s`);
  return [...new Set(wrong.flatMap(tokensIn))]
    .slice(0, most)
    .flatMap((token) => [
      `${token}:`,
      ...platform.log.updates
        .filter(({ text }) => tokensIn(text ?? "").includes(token))
        .map(
          ({ kind, deliveredAt, confirmedAt }) =>
            `  ${kind} handed over at ${deliveredAt.map(at).join(", ")}, confirmed ${at(confirmedAt)}`,
        ),
      ...model.log
        .filter(({ tokens }) => tokens.includes(token))
        .map(
          ({ seq, at: began, endedAt, outcome, tokens, messages }) =>
            `  request ${seq} at ${at(began)} to ${at(endedAt)} ${outcome}, ${messages} messages, for ${tokens.join(", ")}`,
        ),
      ...platform.log.calls
        .filter((call) => isAnswer(call) && tokensIn(call.text).includes(token))
        .map(
          ({ method, acceptedAt, answeredAt, messageId, text }) =>
            `  ${method} accepted at ${at(acceptedAt)}, answered ${at(answeredAt)}, message ${messageId}: ${text?.slice(0, 80)}`,
        ),
    ]);
}
