/**
 * What a request costs. Pure, and in whole numbers: prices are millionths of the currency for a million tokens (so
 * trillionths for one), sums are added up as such, and only the end is rounded, once, to thousand-millionths.
 */
import type { Usage } from '../kernel/exchange.ts';

/** One unit of the currency, as costs and credits are counted. */
export const COST_UNIT = 1_000_000_000;

/** What is charged. All whole numbers from 0. */
export interface Price {
  /** Millionths of the currency for a million tokens. Cached tokens are part of the input, reasoning part of the output. */
  readonly input: number;
  readonly cachedInput: number;
  readonly output: number;
  readonly reasoning: number;
  /** Millionths of the currency. */
  readonly perRequest: number;
  /** Millionths of the currency for a second of the server's time. */
  readonly perSecond: number;
}

const DECIMAL = /^(\d{1,9})(?:\.(\d{1,6}))?$/;

/** `2.50` → 2500000 millionths; undefined where it is no decimal number from 0 with at most six places. */
export function parsePrice(text: string): number | undefined {
  const match = DECIMAL.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * 1_000_000 + Number((match[2] ?? '').padEnd(6, '0'));
}

/** Cost of what was used, in thousand-millionths of the currency. `ms`: how long the server worked on it. */
export function costOf(price: Price, usage: Usage | undefined, ms: number): number {
  let trillionths = price.perRequest * 1_000_000 + price.perSecond * Math.round(Math.max(0, ms)) * 1000;
  if (usage !== undefined) {
    const cached = Math.min(usage.cachedInputTokens, usage.inputTokens);
    const reasoning = Math.min(usage.reasoningTokens, usage.outputTokens);
    trillionths +=
      (usage.inputTokens - cached) * price.input +
      cached * price.cachedInput +
      (usage.outputTokens - reasoning) * price.output +
      reasoning * price.reasoning;
  }
  return Math.round(trillionths / 1000);
}

/** The most that so many tokens and milliseconds can cost, whatever becomes cached input or reasoning. */
export function worstCost(price: Price, inputTokens: number, outputTokens: number, ms: number): number {
  const input = Math.max(price.input, price.cachedInput);
  const output = Math.max(price.output, price.reasoning);
  const fixed = price.perRequest * 1_000_000 + price.perSecond * Math.ceil(ms) * 1000;
  return Math.ceil((inputTokens * input + outputTokens * output + fixed) / 1000);
}

/** The most that so many tokens more can cost, where the rest is paid. */
export function worstOutput(price: Price, outputTokens: number): number {
  return Math.ceil((outputTokens * Math.max(price.output, price.reasoning)) / 1000);
}

/** So much more of the server's time, in milliseconds, where the rest is paid. */
export function costOfTime(price: Price, ms: number): number {
  return price.perSecond * Math.ceil(ms);
}

/** Whether tokens cost anything: else what is charged is known of a request whose tokens nobody counts. */
export function pricesTokens({ input, cachedInput, output, reasoning }: Price): boolean {
  return input + cachedInput + output + reasoning > 0;
}

/** A cost as people read it, without rounding: `0.000012`. */
export function formatCost(cost: number): string {
  const units = Math.floor(cost / COST_UNIT);
  const rest = String(Math.round(cost - units * COST_UNIT))
    .padStart(9, '0')
    .replace(/0+$/, '');
  return rest === '' ? String(units) : `${units}.${rest}`;
}
