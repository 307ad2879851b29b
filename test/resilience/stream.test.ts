/** Streams that fall silent: comments that keep them alive, and deadlines for their tokens. */
import { equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../src/kernel/clock.ts';
import { type InProcess, type InProcessOptions, withGateway, withServer } from '../inprocess.ts';
import type { RawPeer } from '../raw.ts';
import { chunk, STREAM } from './play.ts';

type Upstream = Exclude<InProcessOptions['upstream'], string>;
const COMMENT = ': keep-alive\n\n';
const BODY = '{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}';
const CHAT = `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
const token = (content: string) => chunk(`data: {"choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`);

/** A stream through a gateway with these settings, before its head. */
const withStream = (
  settings: Partial<Upstream>,
  use: (gateway: InProcess, server: RawPeer, client: RawPeer) => Promise<void>,
) =>
  withServer(
    () => {},
    (server) => {
      const upstream: Upstream = {
        protocol: 'openai',
        endpoints: [{ url: server.url }],
        retries: { attempts: 1 },
        ...settings,
      };
      return withGateway({ upstream, clock: new ManualClock() }, async (gateway) => {
        const client = await gateway.client();
        await client.send(CHAT);
        const peer = await server.connection(0);
        await peer.read();
        await use(gateway, peer, client);
        client.close();
      });
    },
  );

const count = (text: string) => text.split(COMMENT).length - 1;

test('comments: only while it is silent, only between events, never before its head', () =>
  withStream({ keepAliveComments: '15s', timeouts: { idle: '10m' } }, async (gateway, server, client) => {
    await gateway.advance(40_000);
    equal(client.received, '', 'before the head it could still become an error');
    await server.send(STREAM);
    await client.readUntil('\r\n\r\n');
    await gateway.advance(15_100);
    await client.readUntil(COMMENT);
    await server.send(token('a'));
    await client.readUntil('"a"');
    await gateway.advance(14_000);
    await gateway.unharmed();
    equal(count(client.received), 1, 'not yet');
    await gateway.advance(1100);
    await gateway.unharmed();
    equal(count(client.received), 2);
    await server.send(chunk('data: {"half'));
    await client.readUntil('half');
    await gateway.advance(60_000);
    await gateway.unharmed();
    equal(count(client.received), 2, 'never inside an event');
    await server.send(`${chunk('":1}\r\n\r\n')}`);
    await client.readUntil('":1}');
    await gateway.advance(15_100);
    await gateway.advance(15_100);
    await gateway.unharmed();
    equal(count(client.received), 4);
    await server.send(`${chunk('data: [DONE]\n\n')}0\r\n\r\n`);
    const answer = await client.read();
    ok(answer.body.endsWith('data: [DONE]\n\n'), 'and a clean end');
    equal(gateway.ended[0]?.outcome, 'completed');
  }));

test('comments: not in what is no event stream, is compressed, or has a length', async () => {
  const heads = [
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
    STREAM.replace('\r\n\r\n', '\r\nContent-Encoding: gzip\r\n\r\n'),
    'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100\r\n\r\n',
  ];
  for (const head of heads) {
    await withStream({ keepAliveComments: '15s', timeouts: { idle: '10m' } }, async (gateway, server, client) => {
      await server.send(head);
      await client.readUntil('\r\n\r\n');
      await gateway.advance(40_000);
      await gateway.unharmed();
      ok(!client.received.includes('keep-alive'), client.received);
    });
  }
});

test('firstToken: a stream that begins and says nothing is cut, with an event that says so', () =>
  withStream({ timeouts: { firstToken: '5s', idle: '10m' } }, async (gateway, server, client) => {
    await server.send(STREAM + chunk('data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'));
    await client.readUntil('assistant');
    await gateway.advance(5100);
    equal(await client.readToEnd(), 'end');
    match(client.received, /no generated content within 5s \(timeouts.firstToken\)/);
    ok(!client.received.endsWith('0\r\n\r\n'));
    equal(gateway.ended[0]?.outcome, 'upstream_aborted');
    equal(gateway.faults('first_byte_timeout'), 1);
    await server.readToEnd();
  }));

test('firstToken: without a head it is 504, or another try', () =>
  withStream({ timeouts: { firstToken: '5s' } }, async (gateway, server, client) => {
    await gateway.advance(5100);
    const answer = await client.read();
    equal(answer.status, 504);
    match(answer.body, /firstToken/);
    await server.readToEnd();
  }));

test('betweenTokens: bytes that are no tokens do not count', () =>
  withStream({ timeouts: { firstToken: '5s', betweenTokens: '3s', idle: '10m' } }, async (gateway, server, client) => {
    await server.send(STREAM + token('a'));
    await client.readUntil('"a"');
    for (const content of ['b', 'c']) {
      await gateway.advance(2900);
      await server.send(token(content));
      await client.readUntil(`"${content}"`);
    }
    await gateway.advance(2000);
    await server.send(chunk(': ping\n\n'));
    await client.readUntil('ping');
    await gateway.advance(1100);
    equal(await client.readToEnd(), 'end');
    match(client.received, /no further content within 3s \(timeouts.betweenTokens\)/);
    equal(gateway.ended[0]?.code, 'idle_timeout');
  }));

test('an answer that is no stream has no tokens to wait for', () =>
  withStream({ timeouts: { firstToken: '5s', idle: '10m' } }, async (gateway, server, client) => {
    await server.send('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n');
    await client.readUntil('\r\n\r\n');
    await gateway.advance(20_000);
    await server.send('{}');
    equal((await client.read()).body, '{}');
  }));
