/** What is known of callers, and what becomes of it when plans and tenants change. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packPlan, packTenant } from '../config/config.ts';
import { as, asks, CHAT, chat, settings } from './permission.fixture.ts';
import { makeWorker } from './pipeline.fixture.ts';

test('/v1/models lists what this caller may use', () => {
  const { send } = makeWorker(settings);
  const listed = (who: string) => {
    const { data } = JSON.parse(send('GET /v1/models', as(who)).answer?.body ?? '{}') as { data: { id: string }[] };
    return data.map(({ id }) => id);
  };
  assert.deepEqual(listed('free'), ['m', 'm-large']);
  assert.deepEqual(listed('narrow'), ['m']);
  assert.deepEqual(listed('nobody'), ['m', 'm-large', 'other']);
  assert.equal(send('GET /v1/models/other', as('free')).answer?.status, 404);
});

test('a change of plan or tenant in the store holds for the next request of a key that is known already', () => {
  const { send, registry } = makeWorker({ ...settings, tenants: {} });
  const [plans, tenants] = [registry.planConsumer(), registry.tenantConsumer()];
  const status = (body = chat()) => send(CHAT, as('free'), body).answer?.status;
  assert.equal(status(chat({ model: 'other' })), undefined);
  tenants.put('small', packTenant('small', { id: 'small', plan: 'stored' }));
  assert.equal(status(), 403);
  plans.put('stored', packPlan('stored', { id: 'stored', permissions: { models: ['m'] } }));
  assert.equal(status(), undefined);
  assert.equal(status(chat({ model: 'other' })), 404);
  plans.put('stored', packPlan('stored', { id: 'stored', permissions: { models: ['*'] } }));
  assert.equal(status(chat({ model: 'other' })), undefined);
  tenants.put('small', packTenant('small', { id: 'small', plan: 'trial' }));
  assert.equal(status(chat({ model: 'other' })), 404);
  tenants.put('small', packTenant('small', { id: 'small', disabled: true }));
  assert.equal(status(), 403);
  tenants.remove('small');
  assert.equal(status(chat({ model: 'other' })), undefined);
});

test('a tunnel, in which no model is read, is for who may ask for all of them', () => {
  const { send } = makeWorker(settings);
  const tunnel = (who: string) =>
    send('GET /raw/realtime', [...as(who), 'Connection: upgrade', 'Upgrade: websocket']).answer?.status;
  assert.deepEqual([tunnel('narrow'), tunnel('wide'), tunnel('nobody')], [403, undefined, undefined]);
});

test('of one name the plan in the configuration holds', () => {
  const { send, registry } = makeWorker(settings);
  registry.planConsumer().put('trial', packPlan('trial', { id: 'trial' }));
  registry.tenantConsumer().put('small', packTenant('small', { id: 'small', plan: 'team' }));
  assert.equal(send(CHAT, as('free'), chat({ model: 'other' })).answer?.status, 404);
});

test('unknown tenants are refused, and callers without a plan get the default one, where that is set', () => {
  const { send } = makeWorker({ ...settings, authorize: { defaultPlan: 'trial', unknownTenants: 'refuse' } });
  assert.equal(send('GET /web', as('nobody')).exchange.error?.rule, 'tenant/unknown');
  const { exchange } = makeWorker({ ...settings, authorize: { defaultPlan: 'trial' } }).send('GET /web', as('nobody'));
  assert.equal(exchange.error?.rule, 'plan:trial/routes');
  assert.equal(exchange.identity?.plan, 'trial');
});

test('where the model decides on the route, its rules are asked then', () => {
  const routes = [
    {
      name: 'large',
      match: { path: '/v1/*', model: 'm-large' },
      models: ['*'],
      ...asks,
      authorize: { roles: ['ops'] },
    },
    { name: 'rest', match: { path: '/v1/*' }, models: ['*'], ...asks },
  ];
  const { send } = makeWorker({ ...settings, routes });
  assert.equal(send(CHAT, as('nobody'), chat({ model: 'm-large' })).exchange.error?.rule, 'route:large/roles');
  assert.equal(send(CHAT, as('nobody'), chat()).answer?.status, undefined);
  assert.equal(send(CHAT, as('ops'), chat({ model: 'm-large' })).answer?.status, undefined);
  // Who may do nothing is refused before the body is read.
  assert.equal(send(CHAT, as('off'), '{').exchange.error?.rule, 'tenant/disabled');
});
