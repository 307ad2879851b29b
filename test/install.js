/** Installs what the tests borrow: Debian packages where this user may, npm peers into .cache/peers. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';

/** Runs a program, showing its output only when it fails. Returns true when it went well. */
function run(command, args, options = {}) {
  const done = spawnSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', ...options });
  if (done.status === 0) return true;
  process.stdout.write(`${done.stdout ?? ''}${done.stderr ?? ''}`);
  console.log(`${command} ${args.join(' ')}: ${done.error?.message ?? `exit ${done.status ?? done.signal}`}`);
  return false;
}

function onPath(name) {
  return [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'].some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Installs packages without starting the services that they bring: policy-rc.d is how Debian is told that. Package lists
 * may be absent or stale, so they are fetched; a mirror that is down for that may still serve the packages.
 */
const APT_SCRIPT = `
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\\nexit 101\\n' > $policy && chmod 755 $policy && trap "rm -f $policy" EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q || true
  apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
`;

/** Installs the Debian packages that are missing. Returns a line about it; throws where CI needs them. */
export function installDebian(top) {
  const { debian } = JSON.parse(readFileSync(join(top, 'test/needs.json'), 'utf8'));
  const missing = () => Object.keys(debian).filter((command) => !onPath(command));
  const wanted = [...new Set(missing().map((command) => debian[command]))];
  if (wanted.length === 0) return 'all there';
  const root = process.getuid?.() === 0;
  const may = onPath('apt-get') && (root || spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0);
  if (may) {
    const script = ['sh', '-c', APT_SCRIPT, 'install', ...wanted];
    run(...(root ? [script[0], script.slice(1)] : ['sudo', ['-n', ...script]]));
  }
  const left = missing();
  if (left.length === 0) return `installed ${wanted.join(' ')}`;
  const advice = `missing ${left.join(', ')}: apt-get install ${wanted.join(' ')}`;
  if (process.env.CI) throw new Error(advice);
  return `${advice} (tests that need them will be skipped)`;
}

/** Installs the npm peers exactly as test/peers/package-lock.json says. Returns a line about it. */
export function installPeers(top) {
  const from = join(top, 'test/peers');
  const folder = join(top, '.cache/peers');
  const lock = readFileSync(join(from, 'package-lock.json'));
  const stamp = createHash('sha256').update(lock).digest('hex');
  const stampFile = join(folder, 'installed');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return 'all there';
  mkdirSync(folder, { recursive: true });
  rmSync(stampFile, { force: true });
  for (const name of ['package.json', 'package-lock.json']) copyFileSync(join(from, name), join(folder, name));
  // No install scripts run, and binaries for other machines stay out; --force lets other platforms go on without.
  const args = ['ci', '--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund', '--force'];
  if (!run('npm', args, { cwd: folder })) {
    const advice = 'the npm peers could not be installed (see above)';
    if (process.env.CI) throw new Error(advice);
    return `${advice}; tests that need them will be skipped`;
  }
  writeFileSync(join(folder, 'load.mjs'), 'export const load = (name) => import(name);\n');
  writeFileSync(stampFile, stamp);
  return 'installed';
}
