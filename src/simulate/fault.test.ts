import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choosePlan, parsePlan, parseRule } from './fault.ts';
import { FAULTS } from './faults/faults.ts';
import { Dice } from './token.ts';

test('plans', () => {
  const plan = parsePlan('status=503, retry-after=2,split', FAULTS);
  assert.equal(plan.number('status', 0), 503);
  assert.equal(plan.number('retry-after', 0), 2);
  assert.equal(plan.number('split', 0), 7);
  assert.equal(plan.number('rate', 9), 9);
  assert.equal(parsePlan('obs-fold', FAULTS).raw?.name, 'obs-fold');
});

test('what cannot be understood is named', () => {
  const cases: [text: string, said: RegExp][] = [
    ['nonsense', /no fault 'nonsense'.*--list-faults/],
    ['', /no fault ''/],
    ['status=9000', /'status' expects status=CODE, such as status=500/],
    ['status=x', /'status' expects/],
    ['obs-fold=3', /'obs-fold' takes no value/],
    ['ttft=-1', /'ttft' expects ttft=MS/],
    ['sse=wild', /'sse' expects sse=STYLE/],
    ['stall=tail', /'stall' expects stall=head\|N/],
    ['200%:obs-fold', /at most 100%/],
  ];
  for (const [text, said] of cases) assert.throws(() => parseRule(text, FAULTS), said, text);
});

test('every fault can be asked for by its name alone', () => {
  for (const fault of FAULTS.values()) {
    assert.ok(parsePlan(fault.name, FAULTS).has(fault.name));
    assert.match(fault.name, /^[a-z0-9-]+$/);
    assert.match(fault.doc, /\.$/);
  }
});

test('rules: the next few, then a share', () => {
  const rules = [parseRule('2x:status=500', FAULTS), parseRule('25%:status=503', FAULTS)];
  const dice = new Dice(1);
  const seen = { 500: 0, 503: 0, 0: 0 };
  for (let i = 0; i < 4002; i++) seen[choosePlan(rules, dice).number('status', 0) as 0]++;
  assert.equal(seen[500], 2);
  assert.ok(seen[503] > 900 && seen[503] < 1100, `${seen[503]} of 4000`);
});
