/** Row 3 of FAULTS over TLS: who leaves in the middle of a stream is noticed, and the work is cancelled. */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { makeCertificate } from '../certificate.ts';
import { until, withGateway, withServer } from '../inprocess.ts';
import { rawClient } from '../raw.ts';

const { certificate, key } = makeCertificate({ name: 'one.example' });
const files = { 'one.crt': certificate, 'one.key': key };
const tls = { certificates: [{ certificate: 'one.crt', key: 'one.key' }] };
const GET = 'GET / HTTP/1.1\r\nHost: one.example\r\n\r\n';
const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

test('row 3: a client that closes its connection in the middle of a stream over TLS', { timeout: 60_000 }, () =>
  withServer(
    () => {},
    (server) =>
      withGateway({ upstream: server.url, files, listener: { tls } }, async (gateway) => {
        const client = await rawClient(gateway.port, { rejectUnauthorized: false, servername: 'one.example' });
        await client.send(GET);
        const peer = await server.connection(0);
        await peer.send(`${HEAD}3\r\none\r\n`);
        await client.readUntil('one');
        client.close();
        // A write that fails is told of while it is made; what is written next meets it at the latest.
        while (peer.ending === undefined) {
          await peer.send('3\r\ntwo\r\n');
          await gateway.unharmed();
        }
        await until('the end of the exchange', () => gateway.ended.length === 1);
        equal(gateway.ended[0]?.outcome, 'client_aborted');
      }),
  ),
);
