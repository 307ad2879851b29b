import assert from 'node:assert/strict';
import { test } from 'node:test';
import { budgetLimits, rulesOf } from './compile.ts';
import { budgetConfig } from './config.ts';
import { KeyLimits } from './keylimits.ts';
import type { Rule } from './rule.ts';

/** The rule of a budget of 5 units a day with other amounts for some keys. */
function budget(key: string | string[], only: Record<string, number>): Rule {
  const config = budgetConfig.parse({ name: 'b', key, credits: '5/day', only });
  const [made] = rulesOf(budgetLimits([config]), '');
  return (made as { rule: Rule }).rule;
}

const UNIT = 1_000_000_000;

for (const [name, key, only, asked, units] of [
  ['a word', 'tenant', { acme: 2 }, 'acme', 2],
  ['another', 'tenant', { acme: 2 }, 'other', 5],
  ['a value with a space', 'claim:team', { 'Data Science': 2 }, 'Data Science', 2],
  ['half of it', 'claim:team', { 'Data Science': 2 }, 'Data', 5],
  ['two parts', ['tenant', 'model'], { 'acme gpt': 2 }, 'acme\0gpt', 2],
  ['two parts, one with a space', ['tenant', 'claim:team'], { 'acme Data Science': 2 }, 'acme\0Data Science', 2],
  ['a name of every object', 'tenant', { acme: 2 }, 'constructor', 5],
] as const) {
  test(`what a budget gives to some: ${name}`, () => {
    const rule = budget(key as string | string[], only as Record<string, number>);
    assert.equal(new KeyLimits().of(rule, asked), units * UNIT);
  });
}

test('what an operator gives holds before that, also where nobody has seen the key yet', () => {
  const rule = budget(['tenant', 'claim:team'], { 'acme Data Science': 2 });
  const limits = new KeyLimits();
  limits.set(rule.name, 'acme Data Science', 3);
  assert.equal(limits.of(rule, 'acme\0Data Science'), 3);
  limits.set(rule.name, 'acme\0Data Science', 4);
  assert.equal(limits.of(rule, 'acme\0Data Science'), 4);
  limits.set(rule.name, 'acme\0Data Science', undefined);
  limits.set(rule.name, 'acme Data Science', undefined);
  assert.equal(limits.of(rule, 'acme\0Data Science'), 2 * UNIT);
});
