import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { type Clock, ManualClock, systemClock } from '../../kernel/clock.ts';
import { upstreamConfig } from '../config.ts';
import { askAgent, initialAgent, nextAgent } from './agent.ts';
import { type AgentEvent, Agents } from './agents.ts';

const talks: [string, string[], Partial<typeof initialAgent>][] = [
  ['a share of the weight', ['75%\n'], { share: 0.75 }],
  ['more than all of it', ['150%'], { share: 1.5 }],
  ['a limit', ['maxconn:30\r\n'], { maxConnections: 30 }],
  ['several words, in any order', ['drain, 50%\tmaxconn:3 up'], { drained: true, share: 0.5, maxConnections: 3 }],
  ['drain lasts until ready', ['drain', 'up', '10%'], { drained: true, share: 0.1 }],
  ['ready ends it', ['maint', 'ready'], {}],
  ['down lasts until up', ['down', 'ready'], { up: false }],
  ['a reason behind the word', ['failed #disk full 10%', 'stopped', 'fail'], { up: false }],
  ['up ends it', ['down', 'UP'], {}],
  ['what is not understood changes nothing', ['hello world -5% maxconn:x 1e3%', '', '\n'], {}],
  ['only the first line counts', ['up\ndown'], {}],
];

for (const [title, lines, expected] of talks) {
  test(`agent: ${title}`, () => {
    const { reason: _, ...state } = lines.reduce(nextAgent, initialAgent);
    const { reason: __, ...initial } = initialAgent;
    assert.deepEqual(state, { ...initial, ...expected });
  });
}

test('agent: whatever it says, the state is sound', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (lines) => {
      const { share, maxConnections, reason } = lines.reduce(nextAgent, initialAgent);
      assert.ok(share >= 0 && share <= 256 && Number.isSafeInteger(maxConnections) && maxConnections >= 0);
      assert.ok(reason.length < 200);
    }),
  );
});

test('agent: asked over TCP', { timeout: 180_000 }, async () => {
  const heard: string[] = [];
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (piece) => {
      const said = piece.toString();
      heard.push(said);
      if (said === 'line') socket.write('50%\nmore');
      else if (said === 'close') socket.end('drain');
      else if (said === 'nothing') socket.end();
      else if (said === 'reset') socket.resetAndDestroy();
      else if (said === 'flood') socket.write('x'.repeat(100_000));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as net.AddressInfo;
  const ask = (send: string, timeout = 60_000, at = port, clock: Clock = systemClock) =>
    new Promise<string | undefined>((done) => askAgent({ host: '127.0.0.1', port: at, send, timeout }, clock, done));
  assert.match((await ask('line')) ?? '', /^50%\n/);
  assert.equal(await ask('close'), 'drain');
  assert.equal(await ask('nothing'), undefined);
  assert.equal(await ask('reset'), undefined);
  assert.ok(((await ask('flood')) ?? '').length > 1024);
  const clock = new ManualClock();
  const silence = ask('silence', 30, port, clock);
  while (!heard.includes('silence')) await setImmediate();
  clock.advance(30);
  assert.equal(await silence, undefined);
  assert.deepEqual(heard, ['line', 'close', 'nothing', 'reset', 'flood', 'silence']);
  server.close();
  assert.equal(await ask('line', 60_000, 1), undefined);
});

test('agents: asked each interval; changes are told, once; those that are asked no more are set free', () => {
  const clock = new ManualClock();
  const told: AgentEvent[] = [];
  let answer: string | undefined = '100%';
  let asked = 0;
  const agents = new Agents(
    clock,
    (change) => told.push(change),
    (target, _, done) => {
      asked++;
      assert.deepEqual(target, { host: '10.0.0.1', port: 9999, send: 'q\n', timeout: 1000 });
      done(answer);
      return () => {};
    },
  );
  const agent = { port: 9999, interval: '2s', send: 'q\n' };
  const config = upstreamConfig.parse({ endpoints: [{ url: 'http://10.0.0.1:80' }], agent });
  agents.update({ u: config });
  clock.advance(3000);
  assert.deepEqual([asked, told.length], [2, 0]);
  answer = 'drain #going';
  clock.advance(4000);
  assert.deepEqual(
    told.map(({ endpoint, drained, reason }) => [endpoint, drained, reason]),
    [['10.0.0.1', true, 'agent: drain #going']],
  );
  answer = undefined;
  clock.advance(4000);
  assert.deepEqual([told.length, agents.states().length], [1, 1], 'silence changes nothing');
  agents.update({ u: config });
  agents.update({ u: upstreamConfig.parse({ endpoints: [{ url: 'http://10.0.0.1:80' }] }) });
  assert.equal(told.at(-1)?.drained, false);
  const before = asked;
  clock.advance(10_000);
  assert.equal(asked, before);
  agents.stop();
});
