/** An upgrade: while two processes serve, no limit is exceeded and nobody is refused because he could not be counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../kernel/clock.ts';
import { LocalAuthority } from './authority.ts';
import { most, run, SimulatedWorker, type Use } from './leases.fixture.ts';
import type { Authority } from './protocol.ts';
import { Recall } from './recall.ts';
import { Relay, type RelayWord } from './relay.ts';
import type { Refill, Rule, Unit } from './rule.ts';

const ruleOf = (unit: Unit, limit: number, refill: Refill): Rule => ({
  name: 'r',
  unit,
  limit,
  refill,
  known: false,
  scope: 'node',
  onStoreLoss: 'refuse',
});

/** One program: authority and two workers. */
class Program {
  readonly authority: LocalAuthority;
  readonly relay: Relay;
  readonly workers: SimulatedWorker[] = [];
  alive = true;

  constructor(clock: ManualClock, rule: Rule, uses: Use[], kindOf = (name: string): string | undefined => name) {
    this.authority = new LocalAuthority(clock);
    this.authority.configure([rule]);
    const recall = new Recall(
      clock,
      this.authority,
      (notes) => {
        hear(notes);
        this.relay.recall(notes);
      },
      (holder, asks) =>
        this.relay.leaving ? this.relay.exchange(holder, asks) : this.authority.exchange(holder, asks),
    );
    const hear: ConstructorParameters<typeof Recall>[2] = (notes) => {
      for (const { leases } of this.workers) for (const note of notes) clock.after(1, () => leases.recall(note));
    };
    this.relay = new Relay({
      clock,
      decide: (holder, asks) => recall.exchange(holder, asks),
      note: (holder, asks) => this.authority.exchange(holder, asks),
      gone: (holder) => this.gone(holder),
      recall: (notes) => hear([...notes]),
      kindOf,
    });
    const granting: Authority = {
      exchange: (holder, asks) => this.relay.exchange(holder, asks),
      gone: () => {},
    };
    const weather = { delayMost: 4, loss: 0, timeout: 1000 };
    for (const holder of [1, 2]) this.workers.push(new SimulatedWorker(holder, clock, rule, granting, weather, uses));
  }

  gone(holder: number): void {
    this.authority.gone(holder);
    this.relay.gone(holder);
  }

  get lost(): number {
    return this.workers.reduce((sum, { lost }) => sum + lost, 0);
  }

  get refused(): number {
    return this.workers.reduce((sum, { refused }) => sum + refused, 0);
  }

  get open(): number {
    return this.workers.reduce((sum, { open }) => sum + open, 0);
  }
}

/** A pipe between two programs: in order, late, and what was sent arrives though the sender has died. */
function pipe(clock: ManualClock, to: Program, delayMost: number): (word: RelayWord) => void {
  let last = 0;
  return (word) => {
    const copy = structuredClone(word);
    last = Math.max(last, clock.now() + clock.random() * delayMost);
    clock.after(last - clock.now(), () => {
      if (to.alive) to.relay.hear(copy);
    });
  };
}

function upgrade(clock: ManualClock, old: Program, young: Program, delayMost = 6): void {
  const toYoung = pipe(clock, young, delayMost);
  const toOld = pipe(clock, old, delayMost);
  const counted = structuredClone(old.authority.handOver());
  young.authority.takeOver(counted);
  old.relay.leave(toYoung);
  young.relay.follow(
    (word) => {
      if (young.alive) toOld(word);
    },
    counted.flatMap(({ holdings = [] }) => holdings.map(({ holder }) => holder)),
  );
}

const CASES: readonly [Unit, number, Refill][] = [
  ['requests', 1, { type: 'sliding', windowMs: 2000 }],
  ['requests', 3, { type: 'sliding', windowMs: 2000 }],
  ['requests', 100, { type: 'sliding', windowMs: 2000 }],
  ['tokens', 1000, { type: 'sliding', windowMs: 2000 }],
  ['requests', 5, { type: 'bucket', windowMs: 2000, burst: 2 }],
  ['requests', 4, { type: 'calendar', every: 'hour', timeZone: 'UTC' }],
];

for (const [unit, limit, refill] of CASES)
  test(`${limit} ${unit} (${refill.type}) hold through an upgrade, whoever dies`, async () => {
    for (let seed = 1; seed <= 24; seed++) {
      const clock = new ManualClock(undefined, seed);
      const uses: Use[] = [];
      const rule = ruleOf(unit, limit, refill);
      const [old, young] = [new Program(clock, rule, uses), new Program(clock, rule, uses)];
      const dies = seed % 3 === 0 ? young : seed % 3 === 1 ? old : undefined;
      let at = 0;
      await run(clock, 5000, 5, () => {
        at += 5;
        if (at === 1000) upgrade(clock, old, young);
        if (at === 2000 && dies !== undefined) {
          dies.alive = false;
          for (const worker of dies.workers) worker.alive = false;
        }
        if (at === 2050 && dies === young) old.relay.comeBack();
        if (at === 2050 && dies === old) young.relay.unfollow();
        const serving = [...(old.alive ? old.workers : []), ...(at > 1050 && young.alive ? young.workers : [])];
        for (let i = 0; i < 3; i++) {
          const worker = serving[Math.floor(clock.random() * serving.length)];
          const key = clock.random() < 0.5 ? `k${Math.floor(clock.random() * 3)}` : `new${Math.floor(at / 50)}`;
          const units = unit === 'tokens' ? Math.ceil(clock.random() * 200) : 1;
          const used = unit === 'tokens' ? Math.ceil(clock.random() * units) : 1;
          worker?.request(key, { units, used, forMs: clock.random() < 0.5 ? 0 : clock.random() * 400 });
        }
      });
      const byKey = new Map<string, Use[]>();
      for (const use of uses) byKey.set(use.key as string, [...(byKey.get(use.key as string) ?? []), use]);
      for (const [key, all] of byKey) {
        if (refill.type === 'bucket')
          for (const ms of [10, 500, 2000])
            assert.ok(
              most(all, ms) <= refill.burst + (limit * (ms + 400)) / refill.windowMs,
              `${key} ${ms} seed ${seed}`,
            );
        else
          assert.ok(
            most(all, refill.type === 'sliding' ? 2000 : 5000) <= limit,
            `${key} seed ${seed}: ${most(all, 2000)}`,
          );
      }
      assert.equal(old.lost + young.lost, 0, `seed ${seed}`);
    }
  });

test('a key that nobody has counted yet has its whole limit, whichever of the two it meets', async () => {
  for (const limit of [1, 2, 7]) {
    const clock = new ManualClock(undefined, limit);
    const uses: Use[] = [];
    const rule = ruleOf('requests', limit, { type: 'sliding', windowMs: 60_000 });
    const [old, young] = [new Program(clock, rule, uses), new Program(clock, rule, uses)];
    upgrade(clock, old, young);
    let key = 0;
    await run(clock, 2000, 10, () => {
      key++;
      // As many as there may be, half of them where the other half is not.
      for (let i = 0; i < limit; i++)
        (i % 2 === 0 ? old : young).workers[Math.floor(i / 2) % 2]?.request(`n${key}`, {
          units: 1,
          used: 1,
          forMs: 20,
        });
    });
    await run(clock, 500, 10, () => {});
    assert.equal(old.refused + young.refused, 0, `of ${limit}`);
    assert.equal(uses.length, key * limit);
  }
});

test('of places at once no more are taken than there are, and they come back', async () => {
  // Who has had a place is apt to keep it, as everywhere.
  let both = 0;
  for (const limit of [1, 3])
    for (let seed = 1; seed <= 20; seed++) {
      const clock = new ManualClock(undefined, seed);
      const rule = ruleOf('concurrency', limit, { type: 'held' });
      const [old, young] = [new Program(clock, rule, []), new Program(clock, rule, [])];
      let at = 0;
      await run(clock, 3000, 5, () => {
        at += 5;
        if (at === 500) upgrade(clock, old, young);
        // The old one lets its last requests end.
        const serving = at < 550 ? old.workers : at < 1500 ? [...old.workers, ...young.workers] : young.workers;
        const worker = serving[Math.floor(clock.random() * serving.length)];
        worker?.request('k', { units: 1, used: 0, forMs: clock.random() * 100 });
        assert.ok(old.open + young.open <= limit, `${old.open} + ${young.open} of ${limit}, seed ${seed}`);
        if (at === 1450) both += young.workers.reduce((sum, { passed }) => sum + passed, 0);
        if (at === 1800) for (const { holder } of old.workers) old.gone(holder);
      });
      assert.equal(old.lost + young.lost, 0);
      await run(clock, 1000, 5, () => {});
      assert.equal(young.authority.counted('r', 'k'), 0, `seed ${seed}`);
    }
  assert.ok(both > 50, `${both} by the new one while both served`);
});

test('a new process that is busy makes callers wait, and refuses none', async () => {
  const clock = new ManualClock();
  const uses: Use[] = [];
  const rule = ruleOf('requests', 100, { type: 'sliding', windowMs: 60_000 });
  const [old, young] = [new Program(clock, rule, uses), new Program(clock, rule, uses)];
  upgrade(clock, old, young, 3000);
  for (let i = 0; i < 20; i++) old.workers[i % 2]?.request(`n${i % 5}`, { units: 1, used: 1, forMs: 0 });
  await run(clock, 10_000, 10, () => {});
  assert.equal(old.refused, 0);
  assert.equal(uses.length, 20);
});

test('a limit that the new process does not have is counted by the old one as before', async () => {
  const clock = new ManualClock();
  const uses: Use[] = [];
  const rule = ruleOf('requests', 5, { type: 'sliding', windowMs: 60_000 });
  const old = new Program(clock, rule, uses);
  const young = new Program(clock, { ...rule, unit: 'tokens' }, uses, () => 'something else');
  for (let i = 0; i < 3; i++) old.workers[0]?.request('k', { units: 1, used: 1, forMs: 0 });
  await run(clock, 100, 10, () => {});
  upgrade(clock, old, young);
  for (let i = 0; i < 4; i++) old.workers[0]?.request('k', { units: 1, used: 1, forMs: 0 });
  await run(clock, 1000, 10, () => {});
  assert.equal(uses.length, 5);
  assert.equal(old.refused, 2);
  assert.equal(old.lost, 0);
});
