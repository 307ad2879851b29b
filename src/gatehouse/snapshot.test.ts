import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../kernel/clock.ts';
import { Events } from '../kernel/event.ts';
import { Access } from '../policy/access/access.ts';
import { Registry } from '../policy/authorize/authorize.ts';
import { Quota } from '../policy/quota/quota.ts';
import { Deadlines } from '../socket/deadlines.ts';
import { makeInput, makeWorker, type Settings } from './pipeline.fixture.ts';
import { Snapshot } from './snapshot.ts';

const at = (port: number, more: object = {}) => ({ endpoints: [{ url: `http://10.0.0.1:${port}` }], ...more });
const base: Settings = {
  upstreams: { a: at(1), b: at(2) },
  models: {},
  routes: [{ name: 'r', match: {}, upstream: 'a' }],
};

function compile(settings: Settings, before?: Snapshot, files: Record<string, string> = {}) {
  const clock = new ManualClock();
  const events = new Events();
  const quota = new Quota({ clock, events, ask: async () => [] });
  const parts = {
    clock,
    events,
    deadlines: new Deadlines(clock),
    access: new Access({ clock, events }),
    quota,
    registry: new Registry(),
  };
  return new Snapshot(makeInput(settings, files), parts, before);
}

test('upstreams that did not change are taken over, with their connections and what is known of their health', () => {
  const before = compile(base);
  const next = compile({ ...base, upstreams: { a: at(1), b: at(3), c: at(4) } }, before);
  assert.equal(next.upstreams.get('a'), before.upstreams.get('a'));
  assert.notEqual(next.upstreams.get('b'), before.upstreams.get('b'));
  assert.deepEqual([...next.upstreams.keys()], ['a', 'b', 'c']);
  const without = compile({ ...base, upstreams: { a: at(1, { slowStart: '5s' }) } }, next);
  assert.notEqual(without.upstreams.get('a'), next.upstreams.get('a'));
  assert.deepEqual([...without.upstreams.keys()], ['a']);
});

test('a file that changed makes anew the upstreams that are made from it, and no other', () => {
  const settings = { ...base, upstreams: { a: at(1, { tls: { ca: 'ca.pem' } }), b: at(2) } };
  const before = compile(settings, undefined, { 'ca.pem': 'old', 'listener.pem': 'old' });
  const next = compile(settings, before, { 'ca.pem': 'old', 'listener.pem': 'new' });
  assert.equal(next.upstreams.get('a'), before.upstreams.get('a'));
  const last = compile(settings, next, { 'ca.pem': 'new', 'listener.pem': 'new' });
  assert.notEqual(last.upstreams.get('a'), next.upstreams.get('a'));
  assert.equal(last.upstreams.get('b'), next.upstreams.get('b'));
});

test('a file that was not read is named', () => {
  const settings = { ...base, upstreams: { a: at(1, { tls: { ca: '/etc/ca.pem' } }) } };
  assert.throws(() => compile(settings), /the file \/etc\/ca\.pem was not read/);
});

test('the models of a route, in the order of the file', () => {
  const version = { versions: [{ name: 'v', upstream: 'a' }] };
  const settings = { ...base, models: { one: { ...version, ownedBy: 'us' }, two: version } };
  const snapshot = compile(settings);
  const listed = (models: string[]) => {
    const { routes } = makeInput({ ...settings, routes: [{ name: 'r', match: {}, models }] }).config;
    return snapshot.listed(routes[0]!, 7).map(({ id, createdAt }) => `${id} ${createdAt}`);
  };
  assert.deepEqual(listed(['*']), ['one 7', 'two 7']);
  assert.deepEqual(listed(['two', 'one']), ['one 7', 'two 7']);
  assert.deepEqual(listed(['two']), ['two 7']);
  assert.equal(
    snapshot.listed(
      makeInput({ ...settings, routes: [{ name: 'r', match: {}, models: ['one'] }] }).config.routes[0]!,
      7,
    )[0]?.ownedBy,
    'us',
  );
});

test('a worker goes over to a new snapshot; one that cannot be compiled changes nothing', async () => {
  const { worker, send } = makeWorker(base);
  const before = worker.snapshot;
  const broken = makeInput({ ...base, upstreams: { a: at(9, { tls: { ca: 'not-read.pem' } }) } });
  await assert.rejects(worker.update(broken), /not-read\.pem was not read/);
  assert.equal(worker.snapshot, before);
  await worker.update(makeInput({ ...base, routes: [{ name: 'renamed', match: {}, upstream: 'b' }] }));
  assert.equal(send('GET /').exchange.route, 'renamed');
  assert.equal(worker.snapshot.upstreams.get('b'), before.upstreams.get('b'));
});
