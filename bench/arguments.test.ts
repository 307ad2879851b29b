import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOptions } from './arguments.ts';

const known = ['relay', 'tls'];

test('options', () => {
  assert.deepEqual(parseOptions([], known), {
    ...{ scenarios: [], peers: [], rounds: 3, quick: false, json: false, help: false },
  });
  const asked = parseOptions(
    ['--scenario', 'relay,tls', '--peer', 'nginx', '--peer=gatehouse', '--quick', '--save', 'baseline'],
    known,
  );
  assert.deepEqual(asked.scenarios, ['relay', 'tls']);
  assert.deepEqual(asked.peers, ['nginx', 'gatehouse']);
  assert.equal(asked.rounds, 1);
  assert.equal(asked.save, 'baseline');
});

test('mistakes are said with what there is', () => {
  for (const [args, pattern] of [
    [['--scenario', 'realy'], /no scenario realy; there are relay, tls/],
    [['--rounds', '0'], /--rounds 0: expected a whole number/],
    [['--save', '../x'], /expected the name of a baseline/],
    [['--nonsense'], /nonsense/],
  ] as const) {
    assert.throws(() => parseOptions([...args], known), pattern);
  }
});
