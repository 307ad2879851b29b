import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from '../../src/config/config.ts';
import { gatehousePeers } from './gatehouse.ts';
import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import { serversOf, type TrialSetup } from './trial.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-test-'));
after(() => rmSync(folder, { recursive: true }));

const setup = (kind: TrialSetup['kind'], turn = 0): TrialSetup => ({
  ...{ kind, folder, port: 18080, spare: [18081], turn, slots: 20, tenants: ['a'] },
  servers: kind === 'overload' || kind === 'queue' ? [20001] : [20001, 20002],
});

const KINDS = ['reload', 'failover', 'overload', 'queue'] as const;

test('a reload moves from one server to the other; else all are used', () => {
  assert.deepEqual(
    [0, 1, 2].map((turn) => serversOf(setup('reload', turn))),
    [[20001], [20002], [20001]],
  );
  assert.deepEqual(serversOf(setup('failover', 1)), [20001, 20002]);
});

for (const kind of KINDS) {
  test(`${kind}: Gatehouse accepts its configuration`, () => {
    const { args } = gatehousePeers()[0]!.trial!.configure(setup(kind, 1));
    const loaded = loadConfig(args.at(-1)!);
    assert.ok('config' in loaded, JSON.stringify(loaded));
    assert.deepEqual(
      Object.values(loaded.config.upstreams).map(({ host }) => host),
      ['turn-1'],
    );
  });

  for (const [peer, command, args] of [
    [haproxy, 'haproxy', (file: string) => ['-c', '-f', file]],
    [nginx, 'nginx', (file: string) => ['-t', '-p', folder, '-e', `${folder}/error.log`, '-c', file]],
  ] as const) {
    const path = `${process.env.PATH}:/usr/sbin:/sbin`;
    const missing = peer.version() === undefined && spawnSync(command, ['-v'], { env: { PATH: path } }).error;
    test(`${kind}: ${command} accepts its configuration`, { skip: missing ? peer.missing : false }, () => {
      const file = peer.trial!.configure(setup(kind, 1)).args.at(-1)!;
      assert.match(readFileSync(file, 'utf8'), /turn-1/);
      const { status, stderr } = spawnSync(command, args(file), { env: { PATH: path }, encoding: 'utf8' });
      assert.equal(status, 0, stderr);
    });
  }
}
