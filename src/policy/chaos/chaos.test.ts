import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { findHeadEnd } from '../../http/head.ts';
import { parseRequest, type Request } from '../../http/request.ts';
import { ManualClock } from '../../kernel/clock.ts';
import { Events } from '../../kernel/event.ts';
import { ChaosBoard, ChaosRun } from './board.ts';
import { Chaos } from './chaos.ts';
import { chaosConfig, chaosOrder, faultRule } from './config.ts';

const LIMITS = { head: 32_768, uri: 8192, fields: 100, body: 1 << 20 };

function head(...fields: string[]): Request {
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`);
  return parseRequest(bytes, 0, findHeadEnd(bytes, 0, bytes.length), LIMITS as never) as Request;
}

function chaosOf(rules: object[], byHeader = false, clock = new ManualClock()): Chaos {
  const { rules: parsed } = chaosConfig.parse({ rules });
  return new Chaos(parsed, byHeader, clock, new Events());
}

describe('which requests it hits', () => {
  const rule = { name: 'f', abort: 503 };
  for (const [what, rules, route, fields, hits] of [
    ['no condition', [rule], 'any', [], 'f'],
    ['its route', [{ ...rule, route: 'a' }], 'a', [], 'f'],
    ['another route', [{ ...rule, route: 'a' }], 'b', [], undefined],
    ['one of its routes', [{ ...rule, route: ['a', 'b'] }], 'b', [], 'f'],
    ['its tenant', [{ ...rule, headers: { 'X-Tenant': 't1' } }], 'a', ['x-tenant: t1'], 'f'],
    ['another tenant', [{ ...rule, headers: { 'X-Tenant': 't1' } }], 'a', ['x-tenant: t2'], undefined],
    ['no tenant', [{ ...rule, headers: { 'X-Tenant': '*' } }], 'a', [], undefined],
    ['any tenant', [{ ...rule, headers: { 'X-Tenant': '*' } }], 'a', ['x-tenant: t9'], 'f'],
    ['one field of two', [{ ...rule, headers: { a: '1', b: '2' } }], 'a', ['a: 1'], undefined],
    ['nobody', [{ ...rule, percent: '0%' }], 'a', [], undefined],
    [
      'the first that matches',
      [
        { ...rule, route: 'x' },
        { ...rule, name: 'g' },
        { ...rule, name: 'h' },
      ],
      'a',
      [],
      'g',
    ],
  ] as const) {
    test(what, () => assert.equal(chaosOf([...rules]).draw(route, head(...fields))?.rule, hits));
  }
  test('the share that it says, whatever the share', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 1 }), (percent, seed) => {
        const chaos = chaosOf([{ ...rule, percent: `${percent}%` }], false, new ManualClock(0, seed));
        const request = head();
        let hits = 0;
        for (let i = 0; i < 4000; i++) if (chaos.draw('a', request)) hits++;
        assert.ok(Math.abs(hits / 4000 - percent / 100) < 0.05, `${hits}`);
      }),
      { numRuns: 30 },
    );
  });
});

describe('by header', () => {
  for (const [fields, wanted] of [
    [['abort: 429'], { abort: 429 }],
    [['delay: 50ms', 'abort: 500'], { delay: 50, abort: 500 }],
    [['throughput: 1KiB'], { throughput: 1024 }],
    [['reset: 0'], { reset: 0 }],
    [['malformed: true'], { malformed: true }],
    [['delay: 9h'], { delay: 300_000 }],
    [['abort: 200'], undefined],
    [['abort: x', 'delay: soon', 'throughput: 0', 'malformed: yes'], undefined],
    [[], undefined],
  ] as const) {
    test(fields.join(', ') || 'nothing asked', () => {
      const request = head(...fields.map((field) => `x-gatehouse-fault-${field}`));
      const fault = chaosOf([], true).draw('a', request);
      const given = Object.fromEntries(Object.entries(fault ?? {}).filter(([key, value]) => key !== 'rule' && value));
      assert.deepEqual(fault === undefined ? undefined : given, wanted && without(wanted));
      assert.equal(chaosOf([]).draw('a', request), undefined, 'only where it is switched on');
    });
  }
  const without = (wanted: object) => Object.fromEntries(Object.entries(wanted).filter(([, value]) => value));
});

describe('settings', () => {
  for (const [what, rule, message] of [
    ['a rule without effect', { name: 'a' }, /at least one of/],
    ['an abort that is none', { name: 'a', abort: 200 }, /400/],
    ['a delay beyond bounds', { name: 'a', delay: '6m' }, /at most 5m/],
    ['a throughput of nothing', { name: 'a', throughput: 0 }, /at least 1B/],
    ['a field name with a colon', { name: 'a', abort: 500, headers: { 'a:': 'x' } }, /field name/],
  ] as const) {
    test(what, () => assert.match(faultRule.safeParse(rule).error?.message ?? 'accepted', message));
  }
  test('an order without an end, or with one too far away, is none', () => {
    assert.match(chaosOrder.safeParse({ abort: 503 }).error?.message ?? '', /duration/);
    assert.match(chaosOrder.safeParse({ abort: 503, for: '2h' }).error?.message ?? '', /at most 1h/);
    assert.match(chaosOrder.safeParse({ abort: 503, for: 0 }).error?.message ?? '', /at least 1s/);
    assert.equal(chaosOrder.parse({ abort: 503, for: '1h' }).for, 3_600_000);
  });
});

describe('the board', () => {
  function makeBoard() {
    const clock = new ManualClock();
    const notices: string[] = [];
    let chaos: Chaos | undefined;
    const run = new ChaosRun(clock, new Events(), (next) => {
      chaos = next;
    });
    let lost = false;
    const board: ChaosBoard = new ChaosBoard(
      clock,
      ({ message }) => notices.push(message),
      () => {
        if (!lost) run.run(board.running());
      },
    );
    const hit = () => chaos?.draw('r', head())?.rule;
    const lose = () => {
      lost = true;
    };
    return { clock, board, run, notices, hit, lose, isOff: () => chaos === undefined };
  }

  test('a fault ends by itself, and then costs nothing any more', () => {
    const { clock, board, notices, hit, isOff } = makeBoard();
    assert.ok(board.start({ name: 'x', for: '5m', abort: 503, percent: '100%' }, ['r']).ok);
    assert.equal(hit(), 'x');
    assert.deepEqual(
      board.running().map(({ endsInMs }) => endsInMs),
      [300_000],
    );
    clock.advance(299_999);
    assert.equal(hit(), 'x');
    clock.advance(1);
    assert.ok(isOff());
    assert.deepEqual(board.running(), []);
    assert.match(notices[0] ?? '', /fault x is on for 5m: abort with 503 for 100% of every route/);
    assert.match(notices[1] ?? '', /fault x is off: its time is over/);
  });
  test('a worker that hears no more ends it all the same', () => {
    const { clock, board, hit, lose, isOff } = makeBoard();
    board.start({ name: 'x', for: '10s', abort: 503 }, []);
    lose();
    board.start({ name: 'x', for: '1h', abort: 503 }, []);
    clock.advance(9999);
    assert.equal(hit(), 'x');
    clock.advance(1);
    assert.ok(isOff());
  });
  test('stop by name, stop all, replace', () => {
    const { clock, board, hit } = makeBoard();
    for (const name of ['a', 'b', 'c']) board.start({ name, for: '5m', abort: 503 }, []);
    assert.equal(board.stop('a'), 1);
    assert.equal(board.stop('a'), 0);
    assert.equal(hit(), 'b');
    clock.advance(200_000);
    board.start({ name: 'b', for: '5m', delay: '1s' }, []);
    clock.advance(200_000);
    assert.deepEqual(
      board.running().map(({ rule, endsInMs }) => [rule.name, endsInMs]),
      [['b', 100_000]],
    );
    assert.equal(board.stop(undefined), 1);
    assert.equal(hit(), undefined);
  });
  test('the configuration has faults of its own, which stay', () => {
    const { clock, board, run, hit, isOff } = makeBoard();
    run.configure(chaosConfig.parse({ rules: [{ name: 'own', abort: 500 }] }));
    board.start({ name: 'x', for: '5m', abort: 503 }, []);
    assert.equal(hit(), 'x');
    clock.advance(300_000);
    assert.equal(hit(), 'own');
    run.configure(chaosConfig.parse({}));
    assert.ok(isOff());
  });
  test('an order that is wrong says why', () => {
    const { board } = makeBoard();
    for (const [order, reason] of [
      [undefined, /expected/],
      [{ for: '5m' }, /at least one of/],
      [{ for: '5m', abort: 503, route: 'nowhere' }, /no route nowhere; there are a, b/],
      [{ abort: 503 }, /^for: expected a duration/],
      [{ for: '5m', abort: 503, colour: 'red' }, /colour/],
    ] as const) {
      const result = board.start(order, ['a', 'b']);
      assert.match(result.ok ? 'ok' : result.problems.join('\n'), reason);
    }
    assert.deepEqual(board.running(), []);
  });
});
