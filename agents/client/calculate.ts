/**
 * Arithmetic: + - * / % ^ and parentheses, sqrt abs round floor ceil min max sin cos tan ln log, pi and e. No names are
 * looked up anywhere and nothing is evaluated, so a model may be given it.
 *
 * @throws InputError that says what is wrong; it quotes at most one character of the expression.
 */
import { InputError } from "../../src/errors.ts";

const longest = 500;
const deepest = 50;

const functions: Readonly<Record<string, (...values: number[]) => number>> = {
  sqrt: (x = NaN) => Math.sqrt(x),
  abs: (x = NaN) => Math.abs(x),
  round: (x = NaN) => Math.round(x),
  floor: (x = NaN) => Math.floor(x),
  ceil: (x = NaN) => Math.ceil(x),
  sin: (x = NaN) => Math.sin(x),
  cos: (x = NaN) => Math.cos(x),
  tan: (x = NaN) => Math.tan(x),
  ln: (x = NaN) => Math.log(x),
  log: (x = NaN) => Math.log10(x),
  min: (...values) => Math.min(...values),
  max: (...values) => Math.max(...values),
};
const constants: Readonly<Record<string, number>> = { pi: Math.PI, e: Math.E };

export function calculate(expression: string): number {
  if (expression.length > longest) throw new InputError(`an expression has at most ${longest} characters`);
  const normal = expression
    .replace(/[×·]/g, "*")
    .replace(/÷/g, "/")
    .replace(/[−–]/g, "-")
    .replace(/\*\*/g, "^");
  const tokens = normal.match(/\d+(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+|[a-z]+\d*|\S/gi) ?? [];
  let at = 0;
  let depth = 0;

  const take = (...symbols: string[]): string | undefined => {
    const token = tokens[at];
    if (token === undefined || !symbols.includes(token)) return undefined;
    at += 1;
    return token;
  };
  const expect = (symbol: string): void => {
    if (take(symbol) === undefined) throw new InputError(`"${symbol}" is missing`);
  };

  const sum = (): number => {
    let value = product();
    for (let sign = take("+", "-"); sign !== undefined; sign = take("+", "-")) {
      value = sign === "+" ? value + product() : value - product();
    }
    return value;
  };
  const product = (): number => {
    let value = signed();
    for (let sign = take("*", "/", "%"); sign !== undefined; sign = take("*", "/", "%")) {
      const right = signed();
      if (right === 0 && sign !== "*") throw new InputError("division by zero");
      value = sign === "*" ? value * right : sign === "/" ? value / right : value % right;
    }
    return value;
  };
  // -2^2 is -4, and 2^3^2 is 2^9: a power binds closer than a sign before it and groups to the right.
  const signed = (): number => {
    depth += 1;
    if (depth > deepest) throw new InputError("too many levels");
    const sign = take("-", "+");
    const value = sign === undefined ? power() : sign === "-" ? -signed() : signed();
    depth -= 1;
    return value;
  };
  const power = (): number => {
    const base = operand();
    return take("^") === undefined ? base : base ** signed();
  };
  const operand = (): number => {
    if (take("(") !== undefined) {
      const value = sum();
      expect(")");
      return value;
    }
    const token = tokens[at] ?? "";
    at += 1;
    if (/^[\d.]/.test(token) && Number.isFinite(Number(token))) return Number(token);
    const name = token.toLowerCase();
    const constant = Object.hasOwn(constants, name) ? constants[name] : undefined;
    if (constant !== undefined) return constant;
    const apply = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (apply === undefined)
      throw new InputError(token === "" ? "something is missing" : "something is not arithmetic");
    expect("(");
    const values = [sum()];
    while (take(",") !== undefined) values.push(sum());
    expect(")");
    return apply(...values);
  };

  const value = sum();
  if (at < tokens.length) throw new InputError("something is not arithmetic");
  if (!Number.isFinite(value)) throw new InputError("the result is not a number");
  return value;
}

/** Twelve significant digits: 0.1+0.2 is 0.3. */
export function formatNumber(value: number): string {
  return String(Number(value.toPrecision(12)));
}
