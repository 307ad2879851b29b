/** Two worker processes: sessions resumed at either, through a reload; certificates from a folder and from the store. */
import { equal, ok } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { systemClock } from '../../src/kernel/clock.ts';
import { Events } from '../../src/kernel/event.ts';
import { storeConfig } from '../../src/store/config.ts';
import { openStore } from '../../src/store/open.ts';
import { makeCertificate } from '../certificate.ts';
import { startGateway } from '../gateway.ts';
import { visit } from './visit.ts';

test('sessions at any worker, through a reload; certificates that come and go', { timeout: 180_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tls-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const domains = join(folder, 'domains');
  mkdirSync(domains);
  const put = (at: string, name: string, cn: string) => {
    const pair = makeCertificate({ name: cn, hosts: [name] });
    writeFileSync(join(at, `${name}.pem`), pair.certificate);
    writeFileSync(join(at, `${name}.key`), pair.key);
    return pair;
  };
  put(folder, 'own.example', 'own');
  put(domains, 'first.example', 'first');
  const path = join(folder, 'store.db');
  const store = await openStore(storeConfig.parse({ driver: 'sqlite', path: path }), folder, {
    clock: systemClock,
    events: new Events(),
  });
  t.after(() => store.close());
  const own = { certificate: join(folder, 'own.example.pem'), key: join(folder, 'own.example.key') };
  const gateway = await startGateway({
    workers: 2,
    store: { driver: 'sqlite', path: path },
    listeners: {
      public: { address: '127.0.0.1:0', tls: { certificates: [own], domains: { folder: domains, store: true } } },
    },
    upstreams: { main: { endpoints: [{ url: 'http://127.0.0.1:9' }] } },
    routes: [{ name: 'all', match: { path: '/never' }, upstream: 'main' }],
  });
  t.after(() => gateway.stop());
  const { port } = gateway;
  const shows = async (servername: string, name: string) => {
    let seen = '';
    while (seen !== name) {
      seen = (await visit(port, servername)).name;
      if (seen !== name) await setTimeout(100);
    }
  };

  const { ticket } = await visit(port, 'own.example');
  for (let i = 0; i < 10; i++) ok((await visit(port, 'own.example', ticket)).reused, `visit ${i}`);
  // The certificate is renewed, so the door is made anew; what was resumed before is resumed after.
  put(folder, 'own.example', 'renewed');
  gateway.child.kill('SIGHUP');
  await shows('own.example', 'renewed');
  for (let i = 0; i < 10; i++) ok((await visit(port, 'own.example', ticket)).reused, `visit ${i} after the reload`);

  equal((await visit(port, 'first.example')).name, 'first', 'there before the first connection');
  put(domains, 'second.example', 'second');
  await shows('second.example', 'second');
  put(domains, 'second.example', 'second-renewed');
  await shows('second.example', 'second-renewed');
  rmSync(join(domains, 'second.example.pem'));
  await shows('second.example', 'renewed');

  const { certificate, key } = makeCertificate({ name: 'shop', hosts: ['shop.example'] });
  await store.write([{ op: 'put', kind: 'domain', id: 'shop.example', value: { tenant: 't', certificate, key } }]);
  await shows('shop.example', 'shop');
  await store.write([{ op: 'delete', kind: 'domain', id: 'shop.example' }]);
  await shows('shop.example', 'renewed');
});
