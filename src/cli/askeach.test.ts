import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LeaseAsk, LeaseGrant } from '../policy/quota/quota.ts';
import { askEach } from './askeach.ts';

const ask = (rule: string) => ({ rule }) as LeaseAsk;
const grant = (who: string, { rule }: LeaseAsk) => ({ missing: `${who}:${rule}` }) as LeaseGrant;
const said = (grants: readonly LeaseGrant[]) => grants.map(({ missing }) => missing);

/** Says who has decided what; `asked`: the questions that came together. */
function decider(who: string, asked: string[], later = false) {
  return {
    exchange(worker: number, asks: readonly LeaseAsk[]) {
      asked.push(`${who} for ${worker}: ${asks.map(({ rule }) => rule).join()}`);
      const grants = asks.map((one) => grant(who, one));
      return later ? Promise.resolve(grants) : grants;
    },
  };
}

for (const later of [false, true])
  test(`each is asked once, for its own${later ? ', and waited for' : ''}`, async () => {
    const asked: string[] = [];
    const deciders = [decider('a', asked), decider('b', asked, later), decider('c', asked)];
    const answer = askEach(deciders, [1, 0, 1, 0], 7, ['p', 'q', 'r', 's'].map(ask));
    assert.equal(answer instanceof Promise, later);
    assert.deepEqual(said(await answer), ['b:p', 'a:q', 'b:r', 'a:s']);
    assert.deepEqual(asked, ['a for 7: q,s', 'b for 7: p,r']);
  });
