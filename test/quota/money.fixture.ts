/** For tests of money: a server that says what it has produced, a gateway that outlives its processes, and its ledger. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { systemClock } from '../../src/kernel/clock.ts';
import { Events } from '../../src/kernel/event.ts';
import { storeConfig } from '../../src/store/config.ts';
import { JOURNAL_FOLDER } from '../../src/store/journal.ts';
import type { LedgerEntry } from '../../src/store/ledger.ts';
import { openStore } from '../../src/store/open.ts';
import { parseUsage } from '../../src/store/usageline.ts';
import { type Gateway, startGateway } from '../gateway.ts';
import { NOON } from './noon.ts';
import { serve } from './server.fixture.ts';

/** What is asked of the server, in the body of a request. */
export interface Order {
  /** Output tokens, and milliseconds before each piece of a stream, or before the answer. */
  tokens: number;
  pace: number;
  stream?: boolean;
  /** After so many pieces of a stream the server waits until it is released. */
  waitAfter?: number;
}

/** Thousand-millionths of the currency: 3 for a million input tokens, 15 for a million output tokens, 0.01 each. */
export const PRICES = { models: { m: { input: '3', output: '15', perRequest: '0.01' } } };
/** What a request costs that has used so many tokens. */
export const costOfTokens = (input: number, output: number): number => input * 3000 + output * 15_000 + 10_000_000;

/** A server that does as it is told and remembers the tokens that each request has cost it. */
export async function startServer(t: TestContext) {
  /** Request id → output tokens that it was told to have used. */
  const produced = new Map<string, number>();
  /** Ids of all requests that have come. */
  const asked = new Set<string>();
  let release = () => {};
  const released = new Promise<void>((done) => {
    release = done;
  });
  const url = await serve(t, (request, response) => {
    asked.add(request.headers['x-request-id'] as string);
    answer(request, response, produced, released).catch(() => {});
  });
  return { url, produced, asked, release };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  produced: Map<string, number>,
  released: Promise<void>,
) {
  let text = '';
  for await (const piece of request) text += piece;
  const { order, stream } = JSON.parse(text) as { order: Order; stream?: boolean };
  const id = request.headers['x-request-id'] as string;
  const usage = (tokens: number) => ({ prompt_tokens: 10, completion_tokens: tokens, total_tokens: 10 + tokens });
  const base = { id: 'c', created: 1, model: 'm' };
  if (!stream) {
    await setTimeout(order.pace);
    produced.set(id, order.tokens);
    const choices = [{ index: 0, message: { role: 'assistant', content: 'x' }, finish_reason: 'stop' }];
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ ...base, object: 'chat.completion', choices, usage: usage(order.tokens) }));
    return;
  }
  response.setHeader('content-type', 'text/event-stream');
  const chunk = (more: object) => `data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', ...more })}\n\n`;
  for (let i = 0; i < order.tokens && !response.destroyed; i++) {
    if (order.pace > 0) await setTimeout(order.pace);
    if (i === order.waitAfter) await released;
    produced.set(id, i + 1);
    response.write(chunk({ choices: [{ index: 0, delta: { content: 'x' }, finish_reason: null }] }));
  }
  response.write(chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }));
  response.end(`${chunk({ choices: [], usage: usage(order.tokens) })}data: [DONE]\n\n`);
}

/** What a test sets of a gateway. */
interface More extends Record<string, unknown> {
  budgets?: readonly Record<string, unknown>[];
}

/** Starts gateways one after the other over the same data. Where a test does not say otherwise, no day of a budget ends meanwhile. */
export function house(t: { after(fn: () => void): void }, serverUrl: string, { budgets, ...more }: More = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-money-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const settings = {
    listeners: { public: { address: '127.0.0.1:0' } },
    workers: 2,
    upstreams: { sim: { protocol: 'openai', endpoints: [{ url: serverUrl }] } },
    models: { m: { versions: [{ name: 'v', upstream: 'sim' }] } },
    routes: [{ name: 'ai', match: { path: '/v1/*' }, models: ['m'] }],
    prices: PRICES,
    log: { access: 'off' },
    ...more,
    ...(budgets !== undefined && { budgets: budgets.map((one) => ({ timeZone: NOON, ...one })) }),
  };
  return { folder, start: () => startGateway(settings, { env: { XDG_STATE_HOME: folder } }) };
}

/** One call. */
export function call(
  gateway: Gateway,
  order: Order,
  more: Record<string, unknown> = {},
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    signal: signal ?? null,
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({
      model: 'm',
      messages: [{ role: 'user', content: 'hi' }],
      max_tokens: order.tokens,
      stream: order.stream === true,
      order,
      ...more,
    }),
  });
}

/** Processes of the gateway's workers. */
export async function workerPids(gateway: Gateway): Promise<number[]> {
  const status = (await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as { workers: { pid: number }[] };
  return status.workers.map(({ pid }) => pid);
}

/** Kills the supervisor, and workers with it or not. */
export async function killSupervisor(gateway: Gateway, workers: readonly number[] = []): Promise<void> {
  const gone = once(gateway.child, 'exit');
  for (const pid of [gateway.child.pid as number, ...workers]) kill(pid);
  await gone;
  gateway.child.stdout?.destroy();
  gateway.child.stderr?.destroy();
}

/** Kills a process that may have gone already. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** What a budget has used, as `gatehouse limits` shows it. */
export async function usedOf(gateway: Gateway, budget: string): Promise<number> {
  const answer = (await (await fetch(`${gateway.adminUrl}/api/v1/limits`)).json()) as {
    limits: { rule: string; used: string }[];
  };
  const used = answer.limits.find(({ rule }) => rule === `budget:${budget}`)?.used ?? '0';
  return Math.round(Number(used) * 1e9);
}

/** All entries of the ledger of a gateway that has ended; its sums are their sums. */
export async function ledgerOf(folder: string): Promise<LedgerEntry[]> {
  const data = join(folder, 'gatehouse');
  const store = await openStore(storeConfig.parse(undefined), data, { clock: systemClock, events: new Events() });
  const all: LedgerEntry[] = [];
  for await (const page of store.ledger.entries()) all.push(...page);
  const [sum] = await store.ledger.sums({ by: [] });
  await store.close();
  const total = all.reduce((cost, entry) => cost + entry.cost, 0);
  assert.deepEqual([sum?.cost ?? 0, sum?.requests ?? 0], [total, all.length]);
  return all;
}

/** What an entry says beyond its sums. */
export const detailOf = (entry: LedgerEntry) => entry.detail as { request: string; outcome: string };

/**
 * Waits until a worker has written down that a request is under way, and that so much (at least) is reserved for it: that is what it
 * is charged with when its worker dies.
 */
export async function writtenDown(folder: string, request: string, cost = 0): Promise<void> {
  await until(`request ${request} is written down`, async () =>
    journalLines(folder).some((line) => {
      const entry = parseUsage(line)?.entry;
      return entry !== undefined && detailOf(entry).request === request && entry.cost >= cost;
    }),
  );
}

function journalLines(folder: string): string[] {
  const journals = join(folder, 'gatehouse', JOURNAL_FOLDER);
  try {
    return readdirSync(journals).flatMap((file) => readFileSync(join(journals, file), 'utf8').split('\n'));
  } catch {
    // Nothing was written yet, or a file was taken away meanwhile.
    return [];
  }
}

/** Waits for a condition, generously. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
    await setTimeout(100);
  }
}
