/**
 * FAULTS.md row 41: strangers come with one new key after the other. Memory stays bounded, and a caller whose account had to make
 * room goes on where it was. `GATEHOUSE_KEYS` is how many there are, 40,000 unless told otherwise; with a million the accounts of a rule are as many as
 * a gateway keeps.
 */
import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { test } from 'node:test';
import { ManualClock } from '../../src/kernel/clock.ts';
import { Events } from '../../src/kernel/event.ts';
import type { Exchange } from '../../src/kernel/exchange.ts';
import { limitConfig } from '../../src/policy/quota/config.ts';
import { allRules, LocalAuthority, Quota } from '../../src/policy/quota/quota.ts';

const KEYS = Number(process.env.GATEHOUSE_KEYS ?? 40_000);
const MAX_KEYS = KEYS / 5;
const NOTHING = { tokens: 0, inputTokens: 0, outputTokens: 0, bytes: 0, credits: 0 };

/** Memory in use, in MB. */
const memory = () => {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return Math.round((heapUsed + arrayBuffers) / 1_000_000);
};

const exchangeOf = (address: string, key: string) =>
  ({
    inbound: { clientAddress: address },
    head: { get: (name: string) => (name === 'x-key' ? key : undefined), host: 'a' },
    identity: undefined,
    model: '',
    version: '',
    route: 'r',
  }) as unknown as Exchange;

/** The address with this number. */
const addressOf = (i: number) => `${1 + ((i >> 24) & 127)}.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;

test('a million different keys and addresses in a minute: bounded memory, and limits of the known hold', async (t) => {
  const clock = new ManualClock();
  const limits = [
    { key: 'ip', requests: '100/min' },
    { key: 'header:x-key', requests: '100/min', burst: 100 },
    { key: ['header:x-key', 'ip'], concurrency: 5 },
  ].map((one) => limitConfig.parse(one));
  const config = { limits: [], routes: [{ name: 'r', limits }], plans: {}, tenants: {} };
  const authority = new LocalAuthority(clock, MAX_KEYS);
  authority.configure(allRules(config));
  // As between processes: nothing is shared, and the answer comes later.
  const quota = new Quota({
    clock,
    events: new Events(),
    ask: async (asks) => structuredClone(authority.exchange(1, structuredClone(asks))),
  });
  const compiled = quota.compile(config);
  let passed = 0;
  const call = (address: string, key: string): Promise<boolean> =>
    new Promise((done) => {
      const exchange = exchangeOf(address, key);
      const decided = (refused: boolean) => {
        if (!refused) passed++;
        admission.end(NOTHING);
        done(!refused);
      };
      const admission = quota.admission(quota.limitsFor(compiled, 0, exchange), exchange, NOTHING, (exhausted) =>
        decided(exhausted !== undefined),
      );
      const verdict = admission.begin();
      if (verdict !== 'wait') decided(verdict !== undefined);
    });
  const countOf = async (address: string, key: string, calls: number) => {
    let count = 0;
    for (let i = 0; i < calls; i++) if (await call(address, key)) count++;
    return count;
  };

  assert.equal(await countOf('192.0.2.1', 'known', 50), 50);
  const before = memory();
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const from = process.cpuUsage();
  const BATCH = 100;
  const tick = 20_000 / (KEYS / BATCH);
  for (let i = 0; i < KEYS; i += BATCH) {
    await Promise.all(Array.from({ length: BATCH }, (_, n) => call(addressOf(i + n), `stranger${i + n}`)));
    clock.advance(tick);
    await new Promise(setImmediate);
  }
  const { user, system } = process.cpuUsage(from);
  delay.disable();
  assert.equal(passed, KEYS + 50, 'each stranger is let in once');
  // Two rules of which each keeps so many; permits come back, and are forgotten.
  assert.ok(authority.size <= MAX_KEYS * 3 + 3, `${authority.size} accounts`);
  assert.ok(authority.evicted > 0, `${authority.evicted} dropped`);
  assert.ok(quota.size <= 310_000, `${quota.size} leases in the worker`);
  const used = await countOf('192.0.2.1', 'known', 200);
  // What the bucket got back meanwhile is the larger half, so the window decides.
  assert.equal(used, 50, 'exactly the other half');
  t.diagnostic(
    `${KEYS} keys: ${before} → ${memory()} MB, ${((user + system) / KEYS).toFixed(1)} us of CPU a request with 3 rules (worker and authority), ` +
      `event loop at most ${(delay.max / 1e6).toFixed(0)} ms late, ${authority.size} accounts, ${authority.evicted} dropped, ${quota.size} leases`,
  );
  const at = performance.now();
  authority.standings(100);
  t.diagnostic(`the nearest of all: ${(performance.now() - at).toFixed(0)} ms`);
  await quota.close();
});
