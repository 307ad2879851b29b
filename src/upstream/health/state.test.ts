import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { initialHealth, nextHealth } from './state.ts';

const thresholds = { unhealthyAfter: 3, healthyAfter: 2 };

// + is a good probe, - a failed one; below, the status after each: h, u.
const walks: [string, string, string][] = [
  ['the first verdict counts at once', '+', 'h'],
  ['also when it is bad', '-', 'u'],
  ['three failures in a row take it out', '+---', 'hhhu'],
  ['a good one between starts the count anew', '+--+--', 'hhhhhh'],
  ['two good ones in a row bring it back', '-++', 'uuh'],
  ['a bad one between starts the count anew', '-+-++', 'uuuuh'],
  ['after it came back it has its full patience again', '-++--', 'uuhhh'],
];

for (const [title, probes, expected] of walks) {
  test(`health: ${title}`, () => {
    let state = initialHealth;
    let seen = '';
    for (const probe of probes) {
      state = nextHealth(state, probe === '+', thresholds);
      seen += state.status[0];
    }
    assert.equal(seen, expected);
  });
}

test('health: the status changes only by a full run of contrary probes', () => {
  const run = fc.array(fc.boolean(), { minLength: 1, maxLength: 60 });
  const least = fc.integer({ min: 1, max: 5 });
  fc.assert(
    fc.property(run, least, least, (probes, unhealthyAfter, healthyAfter) => {
      let state = initialHealth;
      probes.forEach((good, at) => {
        const before = state.status;
        state = nextHealth(state, good, { unhealthyAfter, healthyAfter });
        if (before === 'unknown' || state.status === before) return;
        const needed = good ? healthyAfter : unhealthyAfter;
        assert.deepEqual(probes.slice(at + 1 - needed, at + 1), Array(needed).fill(good));
      });
    }),
  );
});
