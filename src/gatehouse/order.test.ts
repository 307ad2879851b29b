import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Operation, RequestPeek } from '../ai/ai.ts';
import type { Exchange } from '../kernel/exchange.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Meter } from './meter.ts';
import { orderOf } from './order.ts';

const upstream = (weights: Record<string, number>) => ({ queue: { weights } }) as unknown as Upstream;

function request(caller: { tenant?: string; principal?: string; plan?: string } | undefined, more: object = {}) {
  const inbound = { clientAddress: '203.0.113.9' };
  const identity = caller && { tenant: '', principal: 'carol', plan: '', ...caller };
  return {
    exchange: { inbound, identity, priority: 50 } as unknown as Exchange,
    spillStep: -1,
    destination: upstream({ gold: 4 }),
    operation: undefined as Operation | undefined,
    peek: undefined as RequestPeek | undefined,
    body: undefined as Buffer | undefined,
    meter: undefined as Meter | undefined,
    ...more,
  };
}

test('a share is that of the tenant, else of the caller, else of the address; its weight that of the plan', () => {
  for (const [caller, tenant, weight] of [
    [{ tenant: 'acme', plan: 'gold' }, 'acme', 4],
    [{ tenant: 'acme', plan: 'free' }, 'acme', 1],
    [{ plan: 'gold' }, 'carol', 4],
    [undefined, '203.0.113.9', 1],
  ] as const) {
    const order = orderOf(request(caller), 5, 1000);
    assert.deepEqual([order.tenant, order.weight, order.waitedMs, order.patienceMs], [tenant, weight, 5, 1000]);
  }
});

test('in the queue of another upstream its own weights hold', () => {
  const order = orderOf(request({ plan: 'gold' }, { spillStep: 3 }), 0, 1000, upstream({ gold: 2 }));
  assert.deepEqual([order.weight, order.movable], [2, true]);
});

test('the cost is in tokens: as limits count them, else by size, else one', () => {
  const operation = { name: 'chat' } as Operation;
  const body = Buffer.alloc(4000);
  assert.equal(orderOf(request(undefined), 0, 1).cost, 1);
  assert.equal(orderOf(request(undefined, { operation, body }), 0, 1).cost, 1000 + 1024);
  assert.equal(orderOf(request(undefined, { operation, body, peek: { maxTokens: 10 } }), 0, 1).cost, 1010);
  assert.equal(orderOf(request(undefined, { operation, body, peek: { maxTokens: 1e300 } }), 0, 1).cost, 1e9);
  assert.equal(orderOf(request(undefined, { meter: { promptTokens: 7, outputTokens: 5 } }), 0, 1).cost, 12);
});
