import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Channel } from './channel.ts';
import type { ToSupervisor, ToWorker } from './messages.ts';
import { TO_SUPERVISOR, TO_WORKER } from './messages.ts';

function pair() {
  let receive: (message: unknown, handle: unknown) => void = () => {};
  const acks: (() => void)[] = [];
  const sent: object[] = [];
  const port = {
    connected: true,
    send(message: object, _handle: unknown, _options: object, callback: (error: Error | null) => void) {
      sent.push(message);
      acks.push(() => callback(null));
      return true;
    },
    on: (_: 'message', listener: typeof receive) => {
      receive = listener;
    },
  };
  return { port, sent, acks, give: (message: unknown) => receive(message, undefined) };
}

test('channel: an unknown type, version or shape is reported and ignored', () => {
  const { port, give } = pair();
  const got: string[] = [];
  const trouble: string[] = [];
  new Channel<ToSupervisor, ToWorker>(port, TO_WORKER, {
    message: (message) => got.push(message.type),
    trouble: (reason) => trouble.push(reason),
  });
  const cases: [unknown, RegExp | undefined][] = [
    [{ v: 1, type: 'drain', deadlineMs: 5 }, undefined],
    [{ v: 1, type: 'drain', deadlineMs: 5, later: 'more' }, undefined],
    [{ v: 2, type: 'drain', deadlineMs: 5 }, /message drain of version 2 \(this is 1\)/],
    [{ v: 1, type: 'dance' }, /unknown message dance/],
    [{ v: 1, type: 'constructor' }, /unknown message constructor/],
    [{ v: 1, type: 'drain', deadlineMs: '5' }, /drain whose deadlineMs is string/],
    [{ v: 1, type: 'endpointHealth', changes: {} }, /changes is object/],
    [{ v: 1, type: 'snapshot', snapshot: null, health: [] }, /snapshot is null/],
    ['hello', /no object/],
    [null, /no object/],
  ];
  for (const [message, expected] of cases) {
    trouble.length = 0;
    got.length = 0;
    give(message);
    assert.equal(got.length, expected ? 0 : 1);
    if (expected) assert.match(trouble[0] ?? '', expected);
  }
});

test('channel: offers are refused while the other side is behind, and it is told when it has caught up', () => {
  const { port, sent, acks } = pair();
  let caughtUp = 0;
  const channel = new Channel<ToWorker, ToSupervisor>(port, TO_SUPERVISOR, {
    message: () => {},
    trouble: assert.fail,
    caughtUp: () => caughtUp++,
  });
  const offer = () => channel.offer({ type: 'endpointHealth', changes: [] });
  while (offer());
  const full = sent.length;
  assert.ok(full > 1 && full < 1000);
  channel.send({ type: 'drain', deadlineMs: 1 });
  assert.equal(sent.length, full + 1, 'what must arrive is sent nevertheless');
  for (const ack of acks.splice(0)) ack();
  assert.equal(caughtUp, 1);
  assert.equal(channel.waiting, 0);
  assert.ok(offer());
  port.connected = false;
  channel.send({ type: 'drain', deadlineMs: 1 });
  assert.equal(sent.length, full + 2, 'nothing is sent to the dead');
});

test('channel: once nobody reads any more, or a notice cannot be sent, no notice tells so: it would be sent for ever', () => {
  for (const code of ['EPIPE', 'ENOBUFS']) {
    let tries = 0;
    const port = {
      connected: true,
      send(_message: object, _handle: unknown, _options: object, callback: (error: Error | null) => void) {
        if (++tries > 100) assert.fail('tried for ever');
        callback(Object.assign(new Error(`write ${code}`), { code }));
        return true;
      },
      on: () => {},
    };
    const channel = new Channel<ToSupervisor, ToWorker>(port, TO_WORKER, {
      message: () => {},
      trouble: (message) => channel.send({ type: 'notice', level: 'warn', message, attributes: {} }),
    });
    channel.send({ type: 'drained' });
    assert.equal(tries, code === 'EPIPE' ? 1 : 2);
  }
});
