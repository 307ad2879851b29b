/**
 * The peers that come from npm: where they are kept, and how they get there (`npm run bench:peers`). They stand in a
 * cache folder of their own and never become dependencies of the package.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root, seen from dist/bench/peers/. */
export const repositoryRoot = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

const manifest = {
  private: true,
  dependencies: { undici: '^7', '@portkey-ai/gateway': '1.15.2' },
  // Portkey starts streams only with the versions that it was locked to.
  overrides: { hono: '4.9.7', '@hono/node-server': '1.13.5', '@hono/node-ws': '1.2.0' },
};

/** The folder of the npm peers: `bench/` under GATEHOUSE_PEERS or `.cache/peers` in the repository. */
export function peersFolder(): string {
  return join(process.env.GATEHOUSE_PEERS ?? join(repositoryRoot, '.cache', 'peers'), 'bench');
}

/** What to run when an npm peer is missing. */
export const INSTALL_COMMAND = 'npm run bench:peers';

/** The folder of an installed package, or undefined when it is not there. */
export function packageFolder(name: string): string | undefined {
  const folder = join(peersFolder(), 'node_modules', name);
  return existsSync(join(folder, 'package.json')) ? folder : undefined;
}

/** The version of an installed package, or undefined when it is not there. */
export function packageVersion(name: string): string | undefined {
  const folder = packageFolder(name);
  if (!folder) return undefined;
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  return version;
}

/** Installs every npm peer, without running any install script. @returns whether it worked. */
export function installPeers(): boolean {
  const folder = peersFolder();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  const args = ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund'];
  return spawnSync('npm', args, { stdio: 'inherit' }).status === 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = installPeers() ? 0 : 1;
