/** Session tickets through an upgrade of the program: the successor goes on with the keys, so nobody shakes hands in full. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { SecureVersion } from 'node:tls';
import { makeCertificate } from '../certificate.ts';
import { startGateway } from '../gateway.ts';
import { visit } from './visit.ts';

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('sessions outlive two upgrades; certificates of a folder are shown throughout', {
  timeout: 240_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tls-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const domains = join(folder, 'domains');
  mkdirSync(domains);
  for (const [at, name] of [
    [folder, 'own.example'],
    [domains, 'shop.example'],
  ] as const) {
    const { certificate, key } = makeCertificate({ name });
    writeFileSync(join(at, `${name}.pem`), certificate);
    writeFileSync(join(at, `${name}.key`), key);
  }
  const own = { certificate: join(folder, 'own.example.pem'), key: join(folder, 'own.example.key') };
  const gateway = await startGateway({
    workers: 2,
    listeners: { public: { address: '127.0.0.1:0', tls: { certificates: [own], domains: { folder: domains } } } },
    upstreams: { main: { endpoints: [{ url: 'http://127.0.0.1:9' }] } },
    routes: [{ name: 'all', match: { path: '/never' }, upstream: 'main' }],
  });
  const pid = async () => ((await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as { pid: number }).pid;
  t.after(async () => {
    const last = await pid().catch(() => 0);
    if (last !== 0 && last !== gateway.child.pid) process.kill(last, 'SIGTERM');
    await gateway.stop();
  });
  const { port } = gateway;
  const sessions: [string, SecureVersion, Buffer][] = [];
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const name of ['own.example', 'shop.example']) {
      const { ticket } = await visit(port, name, undefined, version);
      ok(ticket);
      sessions.push([name, version, ticket]);
    }
  }
  const names = new Set<string>();
  for (let round = 0; round < 2; round++) {
    const before = await pid();
    let busy = true;
    const visitor = (async () => {
      while (busy) names.add((await visit(port, 'shop.example', undefined, 'TLSv1.3')).name);
    })();
    const answer = await fetch(`${gateway.adminUrl}/api/upgrade`, { method: 'POST' });
    equal(answer.status, 200, await answer.text());
    while (runs(before)) await setTimeout(50);
    busy = false;
    await visitor;
    for (let i = 0; i < 3; i++) {
      for (const [name, version, ticket] of sessions) {
        ok((await visit(port, name, ticket, version)).reused, `${name}, ${version}, visit ${i}, upgrade ${round}`);
      }
    }
  }
  deepEqual([...names], ['shop.example'], 'never another certificate while one program leaves');
});
