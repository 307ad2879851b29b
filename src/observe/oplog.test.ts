import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../kernel/clock.ts';
import { createOpLog, type OpLogOptions } from './oplog.ts';

function setUp(more: Partial<OpLogOptions> = {}) {
  const clock = new ManualClock(Date.UTC(2026, 10, 21, 20, 52, 30));
  const lines: string[] = [];
  const log = createOpLog({ clock, write: (line) => lines.push(line), format: 'json', ...more });
  return { clock, lines, log };
}

test('JSON lines', () => {
  const { lines, log } = setUp({ process: 'worker-1' });
  log({ level: 'warn', message: 'disk "full"', attributes: { path: '/x', free: 0, read: false, level: 'mine' } });
  assert.deepEqual(JSON.parse(lines[0] ?? ''), {
    timestamp: '2026-11-21T20:52:30.000Z',
    level: 'warn',
    message: 'disk "full"',
    process: 'worker-1',
    path: '/x',
    free: 0,
    read: false,
    level_: 'mine',
  });
});

test('for people', () => {
  const { lines, log } = setUp({ format: 'human' });
  log({ level: 'warn', message: 'disk "full"', attributes: { path: '/a b', free: 0, none: '' } });
  assert.equal(lines[0], '2026-11-21T20:52:30.000Z warn  disk "full" path="/a b" free=0 none=""\n');
});

test('in colour', () => {
  const { lines, log } = setUp({ format: 'human', color: true });
  log({ level: 'error', message: 'm' });
  assert.equal(lines[0], '2026-11-21T20:52:30.000Z \x1b[31merror\x1b[0m m\n');
});

test('below the level nothing is written', () => {
  const { lines, log } = setUp({ level: 'warn' });
  log({ level: 'info', message: 'a' });
  log({ level: 'error', message: 'b' });
  assert.equal(lines.length, 1);
});

test('a flood of one message is written once a second, with its count', () => {
  const { clock, lines, log } = setUp({ format: 'human' });
  for (let i = 0; i < 2500; i++) {
    log({ level: 'warn', message: 'flapping' });
    clock.advance(1);
  }
  log({ level: 'info', message: 'other' });
  assert.deepEqual(
    lines.map((line) => line.slice(31)),
    [
      'flapping\n',
      'the message before came 999 more times\n',
      'flapping\n',
      'the message before came 999 more times\n',
      'flapping\n',
      'the message before came 499 more times\n',
      'other\n',
    ],
  );
});

test('no message can forge a line or steer the terminal', () => {
  const text = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(text, text, text, fc.constantFrom('human' as const, 'json' as const), (message, key, value, format) => {
      const { lines, log } = setUp({ format });
      log({ level: 'info', message, attributes: { [key]: value } });
      assert.equal(lines.length, 1);
      assert.doesNotMatch(lines[0]?.slice(0, -1) ?? '\n', /[\p{Cc}\u2028\u2029]/u);
      if (format === 'json') assert.equal(JSON.parse(lines[0] ?? '').message, message);
    }),
  );
});
