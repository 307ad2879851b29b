/** The script that leases run on in Redis says the same as its model in TypeScript, on a real server. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ManualClock, systemClock } from '../../src/kernel/clock.ts';
import { askFields } from '../../src/policy/quota/shared/lines.ts';
import { ModelStore } from '../../src/policy/quota/shared/model.ts';
import { LEASE_SCRIPT } from '../../src/policy/quota/shared/script.ts';
import type { StoreAsk } from '../../src/policy/quota/shared/terms.ts';
import { Redis } from '../../src/store/redis.ts';
import { redisConfig } from '../../src/store/redisconfig.ts';
import { startRedis } from '../redis.ts';

const RULES = [
  { type: 's', limit: 40, windowMs: 300, burst: 0 },
  { type: 's', limit: 1000, windowMs: 5000, burst: 0 },
  { type: 'b', limit: 100, windowMs: 1000, burst: 30 },
  { type: 'c', limit: 200, windowMs: 0, burst: 0 },
  { type: 'h', limit: 12, windowMs: 0, burst: 0 },
] as const;

const BUDGETS = [{ type: 'c', limit: 300, windowMs: 0, burst: 0, budget: true }] as const;

type Tried = Pick<StoreAsk, 'type' | 'limit' | 'windowMs' | 'burst'> & { readonly budget?: true };

/** `0.1` and `0.10000000000000001` are the same. */
const numbers = (line: unknown) =>
  String(line)
    .split(' ')
    .map((word) => (Number.isNaN(Number(word)) ? word : Number(word)));

test('script and model answer alike to random questions', (t) => compare(t, RULES, 800));

test('and to those about budgets', (t) => compare(t, BUDGETS, 2000));

async function compare(t: TestContext, rules: readonly Tried[], rounds: number): Promise<void> {
  const server = await startRedis();
  t.after(() => server.kill());
  const redis = new Redis(redisConfig.parse({ url: server.url, timeout: '5s' }), systemClock, () => {});
  t.after(() => redis.close());
  await redis.opened;
  const dice = new ManualClock(undefined, 20_261);
  const pick = (most: number) => Math.floor(dice.random() * most);
  let time = 0;
  let model = new ModelStore(() => time);
  let period = 1000;
  // Node and account → sums as the node has them.
  let sums = new Map<
    string,
    { epoch: number; granted: number; back: number; used: number; hb: number; hu: number; home: string }
  >();
  let before = { seen: 0, home: '' };
  let served = 0;
  const lines = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    // What lapsed of a budget is settled after a while, in which nothing else lapses.
    const quiet = rules === BUDGETS && round % 60 > 40;
    if (rules === BUDGETS && (round % 60 === 40 || round % 60 === 59))
      await redis.send(['HINCRBY', '{l}:limits', 'offset', '11000']);
    if (round === rounds / 2) {
      await redis.send(['FLUSHALL']);
      model = new ModelStore(() => time);
    }
    if (round % 97 === 96) period += 1000;
    const node = `n${pick(3)}`;
    // Some die in what is not quiet, and are buried in what is.
    const what =
      quiet && pick(6) === 0 ? 'leave' : (['lease', 'lease', 'lease', 'lease', 'beat', 'look'][pick(6)] as string);
    const count = what === 'lease' ? 1 + pick(4) : 0;
    const chosen = Array.from({ length: count }, () => ({ rule: pick(rules.length), key: pick(3) }));
    const once = chosen.filter((a, i) => chosen.findIndex((b) => b.rule === a.rule && b.key === a.key) === i);
    const fields = what === 'lease' || what === 'leave' ? [] : ['n0', 'n1', 'n2'].slice(pick(4));
    const asked = once.map(({ rule, key }) => {
      const id = `${node} ${rule} ${key}`;
      let own = sums.get(id);
      if (own === undefined || pick(60) === 0)
        own = { epoch: round + 1, granted: 0, back: 0, used: 0, hb: 0, hu: 0, home: '' };
      sums.set(id, own);
      const hand = own.granted - own.back;
      const back = quiet ? hand : pick(hand + 1);
      own.back += back;
      const tried = rules[rule] as Tried;
      if (tried.type !== 'h') own.used += pick(back + 2);
      const need = quiet || pick(3) === 0 ? 0 : pick(12);
      const { type, limit, windowMs, burst } = tried;
      const known = tried.budget === undefined ? -1 : pick(pick(3) === 0 ? limit : 60);
      const ask: StoreAsk = {
        ...{ type, limit, windowMs, burst },
        period,
        left: 5000,
        share: pick(2) === 0,
        epoch: own.epoch,
        granted: own.granted + (pick(40) === 0 ? 3 : 0),
        back: own.back,
        used: own.used,
        heardBack: own.hb,
        heardUsed: own.hu,
        again: pick(5),
        need,
        least: Math.min(need, 1 + pick(5)),
        wish: quiet ? 0 : pick(20),
        known,
        past: known > 0 && pick(4) === 0 ? pick(known) : 0,
        forgiven: pick(5) === 0 ? pick(30) : 0,
        age: known < 0 ? -1 : ([-1, 0, 0, 0, 1500, 2500][pick(6)] as number),
        heard: pick(3) === 0 ? 0 : before.seen,
      };
      fields.push(...askFields(ask, own.home));
      return { own, ask, key: `{l}:${rule}:${key}` };
    });
    const keys = ['{l}:limits', '{l}:nodes', ...asked.map(({ key }) => key)];
    // Nodes are missed after 40 ms here, leases lapse after 60.
    const head = [node, before.seen, before.home, 5, 60, 40, 3000, round, what];
    head.push(what === 'leave' ? Number(pick(4) > 0) : pick(9) === 0 ? -1 : Math.max(0, before.seen - pick(30)));
    const words = [...head.map(String), ...fields];
    const said = (await redis.script(LEASE_SCRIPT, keys, words)) as unknown[];
    time = Number(said[0]);
    const modelled = model.run(keys, words);
    assert.deepEqual(
      said.map(numbers),
      modelled.map(numbers),
      `round ${round}: ${JSON.stringify(asked.map(({ ask }) => ask))}`,
    );
    before = { seen: time, home: String(said[1]) };
    asked.forEach(({ own, ask }, i) => {
      if (pick(8) === 0) return; // The answer is lost.
      if (said[4 + i] === 'unread') return;
      own.granted = Math.max(own.granted, Number(String(said[4 + i]).split(' ')[0]));
      [own.hb, own.hu, own.home] = [ask.back, ask.used, before.home];
      served++;
    });
    for (const line of said.slice(4)) lines.add(String(line));
    if (pick(10) === 0) await new Promise((done) => setTimeout(done, pick(80)));
    if (round === rounds * 0.75) sums = new Map();
  }
  assert.ok(served > rounds / 2);
  if (rules === BUDGETS) assert.ok(lines.has('unread'));
}
