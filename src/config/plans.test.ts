import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type PlanDocument,
  packPlan,
  packTenant,
  planDocument,
  type TenantDocument,
  tenantDocument,
} from './config.ts';

test('documents are stored as they were written, and workers get what they mean', () => {
  const plan: PlanDocument = {
    id: 'trial',
    permissions: { maxBody: '1KiB' },
    limits: [{ key: 'tenant', requests: '3/h' }],
  };
  assert.equal(planDocument.parse(plan).permissions.maxBody, 1024);
  const packed = packPlan('trial', plan);
  assert.equal(packed.permissions.maxBody, 1024);
  assert.equal(packed.limits?.length, 1);
  const tenant: TenantDocument = { id: 'acme', plan: 'trial', trialEndsAt: 7 };
  assert.equal(tenantDocument.parse(tenant).disabled, false);
  assert.deepEqual(packTenant('acme', tenant), {
    plan: 'trial',
    domains: [],
    labels: {},
    disabled: false,
    trialEndsAt: 7,
  });
  assert.throws(() => packPlan('x', { permissions: { conditions: [{ if: 'nobody == 1' }] } }));
});
