/** One line of a usage journal: an entry of the ledger as JSON, written by hand because it is made once per request. Pure. */
import type { ForwardedEvent } from '../kernel/event.ts';
import type { Exchange } from '../kernel/exchange.ts';
import type { Identity } from '../kernel/identity.ts';
import { NAME_MAX } from './check.ts';
import type { LedgerEntry } from './ledger.ts';

/** What an entry says beyond its sums. */
export interface UsageDetail {
  /** Request id, as the client and the access log have it. */
  readonly request: string;
  readonly principal: string;
  readonly upstream: string;
  readonly endpoint: string;
  readonly status: number;
  readonly outcome: string;
  readonly durationMs: number;
  /** Where the tokens come from: `reported` by the server, `counted` by a tokenizer, or `estimated`; '' where there are none. */
  readonly source: string;
  /** Budget → key, where nothing else tells. */
  readonly charged?: Readonly<Record<string, string>>;
}

const MAX_KNOWN = 4096;
const known = new Map<string, string>();
// biome-ignore lint/suspicious/noControlCharactersInRegex: what no store can hold
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\ud800-\udfff]/g;

/** A name as the store takes it, as JSON; kept for the next time. */
function quoted(name: string): string {
  let text = known.get(name);
  if (text === undefined) {
    text = JSON.stringify(name.slice(0, NAME_MAX).replace(UNSAFE, '\ufffd'));
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(name, text);
  }
  return text;
}

const whole = (count: number): number => (count > 0 && count <= Number.MAX_SAFE_INTEGER ? Math.round(count) : 0);

// All that is the same for one caller on one model and route, found again by identity of its last use.
const callers = new WeakMap<Identity, Map<string, string>>();
const nobody = new Map<string, string>();

function who(x: Exchange): string {
  const { identity, model, version, route, upstream, endpoint } = x;
  let texts = identity === undefined ? nobody : callers.get(identity);
  if (texts === undefined) {
    texts = new Map<string, string>();
    callers.set(identity as Identity, texts);
  }
  const id = `${route}\0${model}\0${version}\0${upstream}\0${endpoint}`;
  let text = texts.get(id);
  if (text === undefined) {
    const key = identity?.account ?? '';
    text =
      `,"tenant":${quoted(identity?.tenant ?? '')},"key":${quoted(key)},"model":${quoted(model)}` +
      `,"version":${quoted(version)},"route":${quoted(route)},"requests":1,"detail":{"principal":${quoted(identity?.principal ?? '')}` +
      `,"upstream":${quoted(upstream)},"endpoint":${quoted(endpoint)}`;
    if (texts.size >= MAX_KNOWN) texts.clear();
    texts.set(id, text);
  }
  return text;
}

function charged(charges: Exchange['charges']): string {
  return charges === undefined ? '' : `,"charged":${JSON.stringify(charges)}`;
}

/** The line of an exchange that has ended, with its line feed. `id`: unique for ever; `at`: now, milliseconds since 1970. */
export function usageLine(x: Exchange, id: string, at: number): string {
  const { usage } = x;
  const tokens =
    usage === undefined
      ? ',"inputTokens":0,"cachedInputTokens":0,"outputTokens":0,"reasoningTokens":0'
      : `,"inputTokens":${whole(usage.inputTokens)},"cachedInputTokens":${whole(usage.cachedInputTokens)}` +
        `,"outputTokens":${whole(usage.outputTokens)},"reasoningTokens":${whole(usage.reasoningTokens)}`;
  return (
    `{"id":"${id}","at":${Math.round(at)}${who(x)},"request":${JSON.stringify(x.id)},"status":${x.status}` +
    `,"outcome":"${x.outcome}","durationMs":${Math.round(x.endedAt - x.startedAt)},"source":"${x.usageSource}"` +
    `${charged(x.charges)}}${tokens},"cost":${whole(x.cost)}}\n`
  );
}

/**
 * The line of an exchange that is under way: what it is charged with if nobody lives to say what it has used. One that comes
 * later with the same id holds instead.
 */
export function openLine({ exchange: x, reserved }: OpenUsage, id: string, at: number): string {
  const { inputTokens, outputTokens, cost, charges } = reserved;
  return (
    `{"open":true,"id":"${id}","at":${Math.round(at)}${who(x)},"request":${JSON.stringify(x.id)},"status":0` +
    `,"outcome":"${IN_DOUBT}","durationMs":0,"source":"estimated"${charged(charges)}},"inputTokens":${whole(inputTokens)}` +
    `,"cachedInputTokens":0,"outputTokens":${whole(outputTokens)},"reasoningTokens":0,"cost":${whole(cost)}}\n`
  );
}

/** Says of an exchange that was under way that it has ended, and used nothing. */
export const droppedLine = (id: string): string => `{"dropped":true,"id":"${id}"}\n`;

/** What an exchange under way may use. */
export interface OpenUsage {
  readonly exchange: Exchange;
  readonly reserved: ReturnType<ForwardedEvent['reserved']>;
}

/** `outcome` of an entry whose worker died while the request was under way. */
export const IN_DOUBT = 'in_doubt';

/** A line of a journal: an entry, one that is under way, or the id of one that has come to nothing. */
export type JournalLine =
  | { readonly entry: LedgerEntry; readonly open: boolean }
  | { readonly entry: undefined; readonly dropped: string };

/** A line → what it says; undefined when it says nothing. */
export function parseUsage(line: string): JournalLine | undefined {
  try {
    const value = JSON.parse(line) as LedgerEntry & { open?: boolean; dropped?: boolean };
    if (typeof value !== 'object' || value === null || typeof value.id !== 'string') return undefined;
    if (value.dropped === true) return { entry: undefined, dropped: value.id };
    const { open = false, ...entry } = value;
    return { entry, open };
  } catch {
    return undefined;
  }
}
