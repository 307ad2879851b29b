/** The documents keep their word: links lead somewhere, and every configuration they show is a right one. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse, stringify } from 'yaml';
import { makeCertificate } from './certificate.ts';
import { inRepository, REPOSITORY } from './root.ts';

/** Checks many files in one process. */
const CHECK_ALL = inRepository('dist/test/checkall.js');

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: REPOSITORY })
  .toString()
  .split('\n')
  .filter((path) => existsSync(inRepository(path)));
const pages = tracked.filter((path) => path.endsWith('.md'));

/** Anchor of a heading, as forges make it. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

test('links between documents lead somewhere', () => {
  const broken: string[] = [];
  for (const page of pages) {
    const prose = readFileSync(inRepository(page), 'utf8').replace(/^```[\s\S]*?^```/gm, '');
    for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = '', fragment] = target.split('#');
      const file = path === '' ? inRepository(page) : join(dirname(inRepository(page)), path);
      if (!existsSync(file)) broken.push(`${page}: ${target} does not exist`);
      else if (fragment && !headings(file).includes(fragment)) broken.push(`${page}: ${target} has no such heading`);
    }
  }
  assert.deepEqual(broken, []);
});

function headings(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchor(heading));
}

/** What a snippet may leave out to stay short. */
const USUAL = {
  listeners: { public: { address: '127.0.0.1:8080' } },
  upstreams: { usual: { endpoints: [{ url: 'http://127.0.0.1:8000' }] } },
  routes: [{ name: 'usual', match: {}, upstream: 'usual' }],
};

/** Parts of a configuration by which a snippet is known to be one of ours. */
const OURS = new Set([
  'listeners',
  'upstreams',
  'models',
  'routes',
  'admin',
  'log',
  'workers',
  'zone',
  'region',
  'overload',
  'access',
  'chaos',
]);

/** Variables that snippets name. */
const SECRETS = {
  ALICE_KEY: 'gh_live_000A7dl5PEW67zZCpFU9uKaHnGgOvQKAR0qNdTm',
  BATCH_KEY: 'another-key-that-is-long-enough',
  GATEHOUSE_PEPPER: 'a-pepper-of-at-least-thirty-two-characters',
  ADMIN_TOKEN: 'an-admin-token-of-the-tests',
  OLD_PEPPER: 'another-pepper-of-at-least-thirty-two-characters',
};

describe('configurations in documents', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-docs-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Files by the names of their tests. */
  const files = new Map<string, string>();
  for (const page of pages.filter((path) => !path.startsWith('docs/reference/'))) {
    const snippets = [...readFileSync(inRepository(page), 'utf8').matchAll(/^```ya?ml\n([\s\S]*?)^```/gm)];
    for (const [index, [, text = '']] of snippets.entries()) {
      const settings = parse(text) as Record<string, unknown>;
      if (!Object.keys(settings).every((key) => OURS.has(key))) continue;
      const file = join(folder, `${page.replaceAll('/', '-')}-${index + 1}.yaml`);
      // A snippet that is not whole is checked beside the usual rest; a part that it shows replaces the usual one.
      const whole = 'listeners' in settings && 'upstreams' in settings && 'routes' in settings;
      const upstreams = { ...USUAL.upstreams, ...(settings.upstreams as object | undefined) };
      writeFileSync(file, whole ? text : stringify({ ...USUAL, ...settings, upstreams }));
      files.set(`${page}, snippet ${index + 1}`, file);
    }
  }

  let said: Record<string, string> = {};
  before(() => {
    makeCertificates();
    const { status, stdout, stderr } = spawnSync(process.execPath, [CHECK_ALL, ...files.values()], {
      encoding: 'utf8',
      env: { ...process.env, ...SECRETS },
    });
    assert.equal(status, 0, stderr);
    said = JSON.parse(stdout) as Record<string, string>;
  });
  for (const [name, file] of files) test(name, () => assert.equal(said[file], ''));

  /** The certificates that snippets name: one pair under all the names. */
  function makeCertificates(): void {
    const pair = makeCertificate({ name: 'localhost' });
    mkdirSync(join(folder, 'tls'));
    for (const name of ['example.com', 'internal', 'client', 'clients-ca', 'partner-ca']) {
      writeFileSync(join(folder, 'tls', `${name}.pem`), pair.certificate);
      writeFileSync(join(folder, 'tls', `${name}.key`), pair.key);
    }
  }
});
