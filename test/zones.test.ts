/** Zones end to end: local first, fail-over while the local server is away, fail-back when it has been back for a while. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from './gateway.ts';
import { until } from './inprocess.ts';
import { plainResponse, type RawServer, rawServer } from './raw.ts';

interface Levels {
  upstreams: { levels?: { level: number; endpoints: string[]; healthyShare: number; load: number }[] }[];
}

/** A server that says its name, and its health when asked. */
async function named(name: string): Promise<{ server: RawServer; state: { healthy: boolean } }> {
  const state = { healthy: true };
  const server = await rawServer(async (peer) => {
    for (;;) {
      const request = await peer.read();
      const probe = request.startLine.includes('/health');
      await peer.send(
        probe && !state.healthy ? 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n' : plainResponse(name),
      );
    }
  });
  return { server, state };
}

test('requests stay in the zone, leave it while it is down, and come back', { timeout: 180_000 }, async () => {
  const near = await named('near');
  const far = await named('far');
  const upstream = {
    endpoints: [
      { name: 'far', url: far.server.url, zone: 'b', region: 'eu' },
      { name: 'near', url: near.server.url, zone: 'a', region: 'eu' },
    ],
    health: { path: '/health', interval: '100ms', timeout: '10s', unhealthyAfter: 1, healthyAfter: 1 },
    levels: { failBackAfter: '300ms' },
  };
  const gateway = await startGateway(
    {
      zone: `\${ZONE}`,
      region: 'eu',
      listeners: { public: { address: '127.0.0.1:0' } },
      upstreams: { main: upstream },
      routes: [{ name: 'all', match: {}, upstream: 'main' }],
    },
    { env: { ...process.env, ZONE: 'a' } },
  );
  try {
    const ask = async () => (await fetch(`${gateway.url}/`)).text();
    const levels = async () => {
      const { upstreams } = (await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as Levels;
      return upstreams[0]?.levels;
    };
    const reached = async (what: string, load: number) => {
      let seen: unknown;
      let asking = false;
      await until(what, () => {
        if (!asking) {
          asking = true;
          void levels().then((found) => {
            seen = found?.[0]?.load;
            asking = false;
          });
        }
        return seen === load;
      });
    };
    await reached('the levels', 1);
    deepEqual(await levels(), [
      { level: 0, endpoints: ['near'], healthyShare: 1, load: 1 },
      { level: 1, endpoints: ['far'], healthyShare: 1, load: 0 },
    ]);
    for (let i = 0; i < 10; i++) equal(await ask(), 'near');
    near.state.healthy = false;
    await reached('fail-over', 0);
    for (let i = 0; i < 10; i++) equal(await ask(), 'far');
    near.state.healthy = true;
    await reached('fail-back', 1);
    for (let i = 0; i < 10; i++) equal(await ask(), 'near');
  } finally {
    await gateway.stop();
    await near.server.close();
    await far.server.close();
  }
});
