import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Price } from '../ai/cost.ts';
import { type EventMap, Events } from '../kernel/event.ts';
import { LENGTH_CHUNKED, LENGTH_NONE } from '../kernel/exchange.ts';
import type { ActiveLimit } from '../policy/quota/quota.ts';
import type { Passage } from './passage.ts';
import { refuseUncounted } from './uncounted.ts';

const FREE: Price = { input: 0, cachedInput: 0, output: 0, reasoning: 0, perRequest: 5, perSecond: 0 };
const DEAR: Price = { ...FREE, reasoning: 1 };

const limit = (unit: string, observe = false, name = `r/${unit}`) =>
  ({ rule: { name, unit }, observe, keyOf: () => 'key' }) as unknown as ActiveLimit;

/** A request of which nothing is known. */
interface Asked {
  method?: string;
  path?: string;
  rewritten?: string;
  length?: number;
  upgrade?: string;
  refuses?: boolean;
  price?: Price;
  otherPrice?: Price;
}

function ask(asked: Asked, limits: readonly ActiveLimit[]) {
  const {
    method = 'POST',
    path = '/x',
    rewritten,
    length = 2,
    upgrade = '',
    refuses = true,
    price,
    otherPrice,
  } = asked;
  const events = new Events();
  const observed: string[] = [];
  events.on('limited', (event: EventMap['limited']) => observed.push(`${event.rule} ${event.key} ${event.observed}`));
  const passage = {
    exchange: { requestLength: length, protocol: 'http' },
    head: { method, path, upgrade, get: () => undefined },
    route: { index: 0, name: 'r', rewrittenPath: () => rewritten },
    snapshot: { refusesUnknown: [refuses] },
    destination: { config: { protocol: 'openai' } },
    worker: { events },
    price,
    otherPrice,
  };
  const refusal = refuseUncounted(passage as unknown as Passage, limits);
  return { rule: refusal?.rule, message: refusal?.message, observed, protocol: passage.exchange.protocol };
}

const TOKENS = [limit('requests'), limit('tokens')];
const MONEY = [limit('credits', false, 'budget:all')];

const cases: [what: string, asked: Asked, limits: readonly ActiveLimit[], rule: string | undefined][] = [
  ['tokens', {}, TOKENS, 'r/tokens'],
  ['input tokens', {}, [limit('inputTokens')], 'r/inputTokens'],
  ['output tokens', {}, [limit('outputTokens')], 'r/outputTokens'],
  ['what every request has', {}, [limit('requests'), limit('bytes'), limit('concurrency')], undefined],
  ['a route that lets it pass', { refuses: false }, TOKENS, undefined],
  ['no body', { method: 'GET', length: LENGTH_NONE }, TOKENS, undefined],
  ['an empty body', { method: 'GET', length: 0 }, TOKENS, undefined],
  ['a body where there should be none', { method: 'GET' }, TOKENS, 'r/tokens'],
  ['a body of unknown length', { method: 'GET', length: LENGTH_CHUNKED }, TOKENS, 'r/tokens'],
  ['a tunnel', { method: 'GET', length: LENGTH_NONE, upgrade: 'websocket' }, TOKENS, 'r/tokens'],
  ['what is kept', { path: '/v1/files' }, TOKENS, undefined],
  ['a path that only looks so here', { path: '/v1/files', rewritten: '/generate' }, TOKENS, 'r/tokens'],
  ['a path that looks so there', { path: '/x/files', rewritten: '/v1/files' }, TOKENS, undefined],
  ['money, without a price', {}, MONEY, 'all'],
  ['money, with one for tokens', { price: DEAR }, MONEY, 'all'],
  ['money, with one for the request', { price: FREE }, MONEY, undefined],
  ['money, with one for tokens elsewhere', { price: FREE, otherPrice: DEAR }, MONEY, 'all'],
  ['money that counts it, and tokens', { price: FREE }, [...MONEY, ...TOKENS], 'r/tokens'],
];

for (const [what, asked, limits, rule] of cases)
  test(`${what}: ${rule === undefined ? 'passes' : 'is refused'}`, () => {
    const told = ask(asked, limits);
    assert.equal(told.rule, rule);
    if (rule !== undefined) assert.ok(told.message?.includes(`and ${rule} limits that`), told.message);
    assert.equal(told.protocol, rule === undefined ? 'http' : 'openai');
    assert.deepEqual(told.observed, []);
  });

test('a limit that only watches says what it would refuse', () => {
  const watched = [limit('tokens', true), limit('requests', true)];
  assert.deepEqual(ask({}, watched), {
    rule: undefined,
    message: undefined,
    observed: ['r/tokens key true'],
    protocol: 'http',
  });
  assert.equal(ask({}, [...watched, limit('outputTokens')]).rule, 'r/outputTokens');
  assert.deepEqual(ask({ path: '/v1/files' }, watched).observed, []);
});
