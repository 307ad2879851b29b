/** The rule before a simulated worker: a processor that does work in order, and requests that come whether it can or not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../kernel/clock.ts';
import { Events, type OverloadEvent } from '../../kernel/event.ts';
import { overloadConfig } from './config.ts';
import { Overload } from './overload.ts';

const SEED = Number(process.env.SYSTEM_SEED ?? Math.floor(Math.random() * 2 ** 31));
const STEP_MS = 5;

/** Processor time of a request when it comes, of each second of its answer, and how long that is. */
interface Kind {
  costMs: number;
  streamCostMs: number;
  streamMs: number;
  priority: number;
}

const SHORT: Kind = { costMs: 2, streamCostMs: 0, streamMs: 50, priority: 50 };
const STREAM: Kind = { costMs: 1, streamCostMs: 2, streamMs: 10_000, priority: 50 };

/** A worker with one core. */
class Machine {
  readonly clock = new ManualClock(0, SEED);
  readonly overload: Overload;
  readonly states: OverloadEvent[] = [];
  readonly notices: string[] = [];
  /** Share of the core that others take. */
  stolen = 0;
  /** How busy others keep the machine. */
  others = 0;
  #backlogMs = 0;
  #busyMs = 0;
  #delays: number[] = [];
  #underWay = 0;
  #streamCost = 0;
  #owed = 0;
  delayMs = 0;
  taken = new Map<number, number>();
  refused = new Map<number, number>();

  constructor(system: object, priorities = [90, 50, 10]) {
    const { clock } = this;
    const events = new Events();
    events.on('overload', (state) => this.states.push(state));
    events.on('notice', ({ message }) => this.notices.push(message));
    let at = 0;
    const readings = () => {
      const worker = Math.min(1, this.#busyMs / Math.max(1, clock.now() - at));
      at = clock.now();
      this.#busyMs = 0;
      const loopDelayMs = this.#delays.reduce((sum, one) => sum + one, 0) / Math.max(1, this.#delays.length);
      this.#delays = [];
      const cpu = { worker, quota: 0, machine: Math.min(1, Math.max(worker / 8, this.others)) };
      return { residentBytes: 0, heapUsedBytes: 0, heapLimitBytes: 1e9, loopDelayMs, cpu };
    };
    this.overload = new Overload({ clock, events, readings });
    // The rule is alone: its limit on the delay is far below the one at which everything stops.
    const config = overloadConfig.parse({ loopDelay: '60s', system: { mode: 'enforce', ...system } });
    this.overload.configure(config, priorities, { slot: 0, workers: 1 });
  }

  get rate(): number {
    return this.states.at(-1)?.system.rate ?? 0;
  }

  /** So many requests a second of each kind, for so long; forgets what was counted before. Gives what was taken a second. */
  run(seconds: number, load: readonly (readonly [number, Kind])[]): number {
    const { clock } = this;
    this.taken = new Map();
    this.refused = new Map();
    this.delayMs = 0;
    for (let step = 0; step < (seconds * 1000) / STEP_MS; step++) {
      for (const [rate, kind] of load) {
        this.#owed = (rate * STEP_MS) / 1000;
        for (; this.#owed > clock.random(); this.#owed--) this.#come(kind);
      }
      this.#backlogMs += (this.#streamCost * STEP_MS) / 1000;
      const done = Math.min(this.#backlogMs, STEP_MS * (1 - this.stolen));
      this.#backlogMs -= done;
      this.#busyMs += done;
      this.#delays.push(this.#backlogMs);
      this.delayMs = Math.max(this.delayMs, this.#backlogMs);
      clock.advance(STEP_MS);
    }
    return [...this.taken.values()].reduce((sum, one) => sum + one, 0) / seconds;
  }

  #come(kind: Kind): void {
    const { priority } = kind;
    if (this.overload.admit(priority, this.#underWay + 1) !== undefined) {
      this.refused.set(priority, (this.refused.get(priority) ?? 0) + 1);
      this.#backlogMs += 0.02;
      return;
    }
    this.taken.set(priority, (this.taken.get(priority) ?? 0) + 1);
    this.#underWay++;
    this.#backlogMs += kind.costMs;
    this.#streamCost += kind.streamCostMs;
    const lasts = kind.streamMs * (0.2 + 1.6 * this.clock.random());
    this.clock.after(this.#backlogMs + lasts, () => {
      this.#underWay--;
      this.#streamCost -= kind.streamCostMs;
    });
  }

  get lost(): number {
    return [...this.refused.values()].reduce((sum, one) => sum + one, 0);
  }
}

describe(`the system rule (SYSTEM_SEED=${SEED})`, () => {
  test('below the threshold nothing is refused, whatever comes', () => {
    const machine = new Machine({});
    machine.run(30, [[400, SHORT]]);
    assert.equal(machine.lost, 0);
    assert.equal(machine.rate, 0);
  });

  for (const [what, kind, capacity] of [
    ['short requests', SHORT, 500],
    ['streams, whose cost comes later', STREAM, 1000 / 21],
  ] as const) {
    test(`three times too many ${what}: as many are taken as the processor carries, and none waits long`, () => {
      const machine = new Machine({});
      machine.run(60, [[3 * capacity, kind]]);
      const taken = machine.run(60, [[3 * capacity, kind]]);
      assert.ok(taken > 0.7 * capacity && taken <= capacity, `${taken} of ${capacity} a second`);
      assert.ok(machine.delayMs < 300, `${machine.delayMs} ms late`);
      // When the crowd has gone, everyone comes in again.
      machine.run(30, [[0.3 * capacity, kind]]);
      machine.run(10, [[0.5 * capacity, kind]]);
      assert.equal(machine.lost, 0);
      assert.equal(machine.rate, 0);
    });
  }

  test('without it the same load is late without bound', () => {
    const machine = new Machine({ mode: 'off' });
    machine.run(8, [[1500, SHORT]]);
    assert.ok(machine.delayMs > 10_000, `${machine.delayMs}`);
    assert.equal(machine.lost, 0);
  });

  test('the least important give way first', () => {
    const machine = new Machine({});
    const load = [90, 50, 10].map((priority) => [250, { ...SHORT, priority }] as const);
    machine.run(20, load);
    machine.run(40, load);
    const share = (priority: number) => (machine.taken.get(priority) ?? 0) / (250 * 40);
    assert.ok(share(90) > 0.9, `${share(90)}`);
    assert.ok(share(90) > share(50) && share(50) > share(10), `${share(90)} ${share(50)} ${share(10)}`);
    assert.ok(share(10) < 0.4, `${share(10)}`);
  });

  for (const streamMs of [5, 50, 2000]) {
    test(`a flood of test leaves what is important alone, and the rate follows the load (answers of ${streamMs} ms)`, () => {
      const machine = new Machine({ cpu: '10%' });
      // 1 ms each, 10 % of a core: 100 a second.
      const important = { ...SHORT, costMs: 1, streamMs, priority: 90 };
      const flood = { ...important, priority: 10 };
      for (const many of [300, 1000]) {
        machine.run(20, [[60, important]]);
        machine.run(15, [
          [60, important],
          [many, flood],
        ]);
        const taken = machine.run(30, [
          [60, important],
          [many, flood],
        ]);
        const passed = machine.taken.get(90) ?? 0;
        const refused = machine.refused.get(90) ?? 0;
        assert.ok(passed > 0.93 * (passed + refused), `${passed} passed, ${refused} refused`);
        assert.ok(taken > 60 && taken < 125, `${taken} a second`);
      }
      // Requests that cost twice as much, and then as little as before.
      const rate = (costMs: number): number => {
        const load = [60, 300].map((many, i) => [many / costMs, { ...(i === 0 ? important : flood), costMs }] as const);
        machine.run(30, load);
        machine.run(20, load);
        const rates = machine.states.slice(-80).map(({ system }) => system.rate);
        return rates.reduce((sum, one) => sum + one, 0) / rates.length;
      };
      const before = rate(1);
      const dearer = rate(2);
      const after = rate(1);
      assert.ok(dearer < 0.75 * before && after > 1.3 * dearer, `${before}, ${dearer}, ${after} a second`);
      machine.run(30, [[40, important]]);
      assert.equal(machine.rate, 0);
    });
  }

  test('a processor that becomes weaker is noticed by its delay', () => {
    const machine = new Machine({ cpu: '100%' });
    machine.run(20, [[450, SHORT]]);
    machine.stolen = 0.5;
    machine.run(20, [[450, SHORT]]);
    const taken = machine.run(20, [[450, SHORT]]);
    assert.ok(taken > 150 && taken <= 260, `${taken} of 250`);
    machine.stolen = 0;
    machine.run(20, [[450, SHORT]]);
    assert.ok(machine.run(20, [[450, SHORT]]) > 430);
  });

  test('a machine that others keep busy: what has gone well goes on, only a sudden rush is held back', () => {
    const machine = new Machine({});
    machine.others = 1;
    machine.run(20, [[100, SHORT]]);
    machine.run(10, [[100, SHORT]]);
    assert.equal(machine.lost, 0);
    machine.run(1, [[420, SHORT]]);
    machine.run(20, [[420, SHORT]]);
    assert.ok(machine.run(10, [[420, SHORT]]) > 400);
  });

  test('its floors hold, however busy the processor is', () => {
    const machine = new Machine({ minPerSecond: 20, minUnderWay: 4 });
    machine.stolen = 1;
    machine.others = 1;
    machine.run(10, [[500, { ...SHORT, streamMs: 1e9 }]]);
    const taken = machine.run(30, [[500, { ...SHORT, costMs: 0 }]]);
    assert.ok(taken >= 18 && taken < 30, `${taken}`);
    assert.equal(machine.overload.admit(90, 4), undefined);
  });

  test('under observe it refuses nobody, and counts whom it would have', () => {
    const machine = new Machine({ mode: 'observe' });
    machine.run(5, [[1500, SHORT]]);
    assert.equal(machine.lost, 0);
    const refused = machine.states.reduce((sum, { system }) => sum + system.refused, 0);
    assert.ok(refused > 1000, `${refused}`);
    assert.equal(machine.notices.length, 0);
  });

  test('the refusal names the rule, and what was short', () => {
    const machine = new Machine({});
    machine.run(20, [[1500, SHORT]]);
    let refusal: ReturnType<Overload['admit']>;
    for (let i = 0; i < 1000 && refusal === undefined; i++) refusal = machine.overload.admit(10, 500);
    assert.equal(refusal?.status, 503);
    assert.match(refusal?.rule ?? '', /^overload\.system\.(cpu|loopDelay)$/);
    assert.ok((refusal?.retryAfterMs ?? 0) > 0);
  });

  test('what it costs a request can be seen', () => {
    const machine = new Machine({});
    machine.run(10, [[200, SHORT]]);
    const { ownTimeMs, cpu } = (machine.states.at(-1) as OverloadEvent).system;
    assert.ok(ownTimeMs > 1.5 && ownTimeMs < 2.5, `${ownTimeMs}`);
    assert.ok(cpu.worker > 0.3 && cpu.worker < 0.5, `${cpu.worker}`);
  });

  test('whatever is read, the rate is a number, never below its floor, and ends when all is calm', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const reading = fc.record({
      cpu: fc.record({ worker: share, quota: share, machine: share }),
      loopDelayMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
      requests: fc.integer({ min: 0, max: 5000 }),
    });
    fc.assert(
      fc.property(fc.array(reading, { maxLength: 60 }), (all) => {
        const clock = new ManualClock();
        const events = new Events();
        let last: OverloadEvent | undefined;
        events.on('overload', (state) => {
          last = state;
        });
        let now: (typeof all)[number] = { cpu: { worker: 0, quota: 0, machine: 0 }, loopDelayMs: 0, requests: 0 };
        const calm = now;
        const readings = () => ({ residentBytes: 0, heapUsedBytes: 0, heapLimitBytes: 1e9, ...now });
        const overload = new Overload({ clock, events, readings });
        overload.configure(
          overloadConfig.parse({ loopDelay: '24d', system: { mode: 'enforce', minPerSecond: 7 } }),
          [50],
          { slot: 0, workers: 1 },
        );
        for (const one of all) {
          now = one;
          for (let i = 0; i < one.requests; i++) overload.admit(50, 100);
          clock.advance(250);
          const rate = last?.system.rate ?? Number.NaN;
          assert.ok(rate === 0 || (Number.isFinite(rate) && rate >= 7), String(rate));
        }
        now = calm;
        clock.advance(60_000);
        assert.equal(last?.system.rate, 0);
      }),
      { numRuns: 50 },
    );
  });
});
