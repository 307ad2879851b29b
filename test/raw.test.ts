/** The test kit's own tests: reading messages off raw sockets, whatever the segments. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sumSeries } from './gateway.ts';
import { takeMessage } from './message.ts';
import { exchange, plainResponse, rawClient, rawServer } from './raw.ts';

const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: 1\r\n\r\n';

test('a message is taken only when it is whole, at every split', () => {
  for (let length = 0; length < chunked.length; length++) {
    assert.equal(takeMessage(chunked.slice(0, length)), undefined, `after ${length} bytes`);
  }
  const message = takeMessage(`${chunked}HTTP/1.1 204 No Content\r\n\r\n`);
  assert.equal(message?.raw, chunked);
  assert.equal(message?.body, 'abcde');
  assert.deepEqual(message?.chunks, [3, 2]);
  assert.deepEqual(message?.trailers, ['X-T: 1']);
});

test('lengths: none, HEAD, until the end, interim responses', () => {
  assert.equal(takeMessage('GET / HTTP/1.1\r\nHost: a\r\n\r\n')?.startLine, 'GET / HTTP/1.1');
  assert.equal(takeMessage('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', { head: true })?.body, '');
  assert.equal(takeMessage('HTTP/1.0 200 OK\r\n\r\nabc'), undefined);
  assert.equal(takeMessage('HTTP/1.0 200 OK\r\n\r\nabc', { ended: true })?.body, 'abc');
  const final = takeMessage('HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n');
  assert.equal(final?.status, 204);
  assert.deepEqual(final?.interim, [{ status: 103, fields: [['Link', 'a']] }]);
});

test('a client and a server talk in pieces, pipelined, half-closed', async (t) => {
  const server = await rawServer(async (peer) => {
    const [first, second] = await peer.readMany(2);
    await peer.sendInPieces(plainResponse(first?.startLine));
    assert.equal(await peer.readToEnd(), 'end');
    await peer.send(plainResponse(second?.startLine, 'Connection: close\r\n'));
    peer.end();
  });
  t.after(() => server.close());
  const client = await rawClient(server.port);
  await client.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi');
  assert.equal((await client.read()).body, 'GET /1 HTTP/1.1');
  client.end();
  const last = await client.read();
  assert.equal(last.body, 'POST /2 HTTP/1.1');
  assert.equal(last.field('connection'), 'close');
  assert.equal(await client.readToEnd(), 'end');
});

test('a reset and a cut-off answer are told apart from an answer', async (t) => {
  const server = await rawServer(async (peer, number) => {
    await peer.read();
    if (number === 0) return peer.reset();
    await peer.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
    peer.end();
  });
  t.after(() => server.close());
  await assert.rejects(exchange(server.port, 'GET / HTTP/1.1\r\n\r\n'), /ended \(reset\)/);
  await assert.rejects(exchange(server.port, 'GET / HTTP/1.1\r\n\r\n'), /ended \(end\).*half/);
  assert.equal(server.connections.length, 2);
});

test('series are summed over the labels that are not asked for', () => {
  const text = '# TYPE a counter\na{x="1",y="p"} 2\na{x="1",y="q"} 3\na{x="2",y="p"} 4\nab{x="1"} 9\nb 1.5\n';
  assert.equal(sumSeries(text, 'a{x="1"}'), 5);
  assert.equal(sumSeries(text, 'a'), 9);
  assert.equal(sumSeries(text, 'b'), 1.5);
  assert.equal(sumSeries(text, 'none'), 0);
});
