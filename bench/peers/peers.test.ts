import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parse } from 'yaml';
import { caddy } from './caddy.ts';
import { configuration, gatehousePeers } from './gatehouse.ts';
import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import type { Setup } from './peer.ts';
import { eachRoute } from './routes.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-test-'));
after(() => rmSync(folder, { recursive: true }));

const setup: Setup = {
  ...{ folder, port: 18080, spare: [18081], upstreamPort: 18082, connections: 64 },
  ...{ everything: false, streaming: false, http2: false, routes: { hosts: 0, paths: 0 } },
};

test('every scenario gives Gatehouse a configuration that is YAML and names its upstream', () => {
  const [peer] = gatehousePeers();
  const tls = { certificate: '/c.pem', key: '/k.pem', both: '/b.pem' };
  for (const change of [{}, { everything: true }, { tls }, { routes: { hosts: 3, paths: 2 } }]) {
    const { args } = peer!.configure({ ...setup, ...change });
    const written = parse(readFileSync(args.at(-1)!, 'utf8')) as { routes: object[]; upstreams: object };
    assert.deepEqual(written, configuration({ ...setup, ...change }));
    assert.deepEqual(Object.keys(written.upstreams), ['bench']);
    assert.equal(written.routes.length, 'routes' in change ? 6 : 1);
  }
});

test('all peers get all routes', () => {
  const routes = { hosts: 3, paths: 2 };
  let count = 0;
  eachRoute(routes, () => count++);
  assert.equal(count, 6);
  haproxy.configure({ ...setup, routes });
  assert.equal(readFileSync(`${folder}/routes.map`, 'utf8').trim().split('\n').length, 6);
  nginx.configure({ ...setup, routes });
  assert.equal(readFileSync(`${folder}/nginx.conf`, 'utf8').match(/location \/p/g)?.length, 6);
  caddy.configure({ ...setup, routes });
  assert.equal(readFileSync(`${folder}/caddy.json`, 'utf8').match(/"path":/g)?.length, 6);
});
