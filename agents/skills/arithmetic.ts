import { calculate, formatNumber } from "../client/calculate.ts";

/** Words that may stand around an expression in a request. */
const around =
  /^(?:.*?\b(?:compute|calculate|what is|how much is|berechne|rechne|was ist|wie viel ist|wieviel ist|calcula|cuánto es|cuanto es)\b)?[\s:]*(.+?)[\s=?!.]*$/isu;

/**
 * The arithmetic that a request is about, and its value; undefined where it is about something else.
 * @throws InputError where it is arithmetic, and wrong
 */
export function arithmeticIn(text: string): { readonly expression: string; readonly value: string } | undefined {
  const expression = around.exec(text.trim())?.[1]?.trim() ?? "";
  const isArithmetic =
    /\d/.test(expression) &&
    /[-+*/%^×·÷−–(]/.test(expression) &&
    expression
      .replace(/\b(?:sqrt|abs|round|floor|ceil|min|max|sin|cos|tan|ln|log|pi|e)\b/gi, "")
      .search(/[\p{L}:;"']/u) < 0;
  return isArithmetic ? { expression, value: formatNumber(calculate(expression)) } : undefined;
}
