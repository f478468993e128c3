/** What tests of missions share: a plan in the demo's words, presses of its buttons, and its report. */
import { onTestFailed, onTestFinished } from "vitest";
import type { TelegramFake } from "../fakes/telegram.ts";
import { createGateway } from "./gateway-process.ts";
import { said } from "./stage.ts";

/** Three agents at once, a question, a wait, and one agent more. */
export const mission = (own: string): string =>
  `plan: ask tester to say ${own} later 6000; remind me in 12 seconds to do ${own}; ask knowledge what ${own} is; ` +
  "then ask me Shall I go on (Yes/No); then wait 6 seconds; then ask tester to be quick";

export const reportsIn = (stage: { readonly platform: TelegramFake }, chat: number): readonly string[] =>
  said(stage, chat).filter((text) => text.includes("The plan “"));

/** Presses the button once it is there. False until then. */
export async function pressOn(platform: TelegramFake, chat: number, label: string): Promise<boolean> {
  const asked = platform.log.calls.findLast(
    (call) => call.chat === chat && JSON.stringify(call.params["reply_markup"] ?? "").includes(`"${label}"`),
  );
  const markup = asked?.params["reply_markup"];
  const rows = (typeof markup === "string" ? JSON.parse(markup) : markup) as
    | { inline_keyboard: { text: string; callback_data: string }[][] }
    | undefined;
  const button = rows?.inline_keyboard.flat().find(({ text }) => text === label);
  if (asked?.messageId === undefined || button === undefined) return false;
  await platform.user(chat).presses(chat, asked.messageId, button.callback_data);
  return true;
}

/** The scheduler by `ascent agent serve`; it ends with the test. */
export async function startScheduler(env: Readonly<Record<string, string>>) {
  const service = await createGateway({ command: ["agent", "serve", "scheduler"], env: () => env });
  onTestFailed(() => console.error(service.tail()));
  onTestFinished(() => service.close());
  await service.start();
  return service;
}
