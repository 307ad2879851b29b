import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginTrial, keepTrialKey, upgradeTenant } from './authorize.ts';

const order = {
  tenant: 't1',
  plan: 'trial',
  trialPeriodMs: 1000,
  principal: 'carol',
  now: 5000,
  labels: { email: 'c@x' },
};

test('a trial gives a tenant and the order of a key that end together', () => {
  const { tenant, key } = beginTrial(order);
  assert.deepEqual(tenant, {
    id: 't1',
    name: 't1',
    plan: 'trial',
    labels: { email: 'c@x' },
    trialEndsAt: 6000,
    createdAt: 5000,
  });
  assert.deepEqual(key, { principal: 'carol', tenant: 't1', name: 'trial', expiresAt: 6000, trial: true });
  assert.throws(() => beginTrial({ ...order, trialPeriodMs: 0 }), /trialPeriod/);
});

test('an upgrade ends the trial for good, and its key goes on where that is wanted', () => {
  const { tenant, key } = beginTrial(order);
  assert.deepEqual(upgradeTenant(tenant, 'team'), {
    id: 't1',
    name: 't1',
    plan: 'team',
    labels: { email: 'c@x' },
    createdAt: 5000,
  });
  assert.deepEqual(keepTrialKey(key), { principal: 'carol', tenant: 't1', name: 'trial', trial: false });
  const kept = { expiresAt: 1, trial: false };
  assert.equal(keepTrialKey(kept), kept);
});
