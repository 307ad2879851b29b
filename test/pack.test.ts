/** The package as a stranger gets it: packed, judged by publint, installed outside the repository, started. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { openaiClient, readChat } from './clients.ts';
import { needs } from './peers.ts';
import { inRepository, REPOSITORY } from './root.ts';

const run = promisify(execFile);
const version = (JSON.parse(readFileSync(inRepository('package.json'), 'utf8')) as { version: string }).version;

/** The environment of a stranger: this Node first in PATH, and nothing that npm told its own scripts. */
const env: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('npm_') && name !== 'INIT_CWD'),
);
env.PATH = [dirname(process.execPath), env.PATH].join(delimiter);

describe('the package', () => {
  let folder = '';
  let tarball = '';
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-pack-'));
    // What the test command has built is what is packed; prepack would delete it under the other tests.
    const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
    await run('npm', args, { cwd: REPOSITORY, env });
    tarball = join(folder, `gatehouse-${version}.tgz`);
    writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
    const install = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', tarball];
    await run('npm', install, { cwd: folder, env });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('publint has nothing to say', async () => {
    const { stdout } = await run(process.execPath, [
      inRepository('node_modules/publint/src/cli.js'),
      'run',
      tarball,
      '--strict',
    ]);
    assert.match(stdout, /All good/i);
  });

  test('holds the licence and the program, no tests and no sources of tests', async () => {
    const { stdout } = await run('tar', ['-tzf', tarball]);
    const files = stdout.trim().split('\n');
    for (const name of ['LICENSE', 'README.md', 'CHANGELOG.md', 'dist/src/cli/cli.js']) {
      assert.ok(files.includes(`package/${name}`), `${name} is missing`);
    }
    const strays = files.filter((name) =>
      /\.(test|fixture)\.|^package\/(test|bench|src|node_modules)\/|\.tsbuildinfo/.test(name),
    );
    assert.deepEqual(strays, []);
  });

  test('npx gatehouse --version', async () => {
    const { stdout } = await run('npx', ['--no-install', 'gatehouse', '--version'], { cwd: folder, env });
    assert.equal(stdout.trim(), version);
  });

  test('npx gatehouse demo serves a stream, and stops at Ctrl-C', needs({ peers: ['openai'] }), async (t) => {
    const demo = spawn('npx', ['--no-install', 'gatehouse', 'demo'], { cwd: folder, env, detached: true });
    t.after(() => stopGroup(demo));
    let said = '';
    const url = await new Promise<string>((resolve, reject) => {
      const listen = (part: Buffer) => {
        said += part;
        // The curl line that people paste is the contract: whatever address it shows has to work.
        const shown = /curl\b[^\n]*?(http:\/\/[^/\s"']+)\/v1\//.exec(said.replaceAll('\\\n', ' '));
        if (shown?.[1]) resolve(shown[1]);
      };
      demo.stdout.on('data', listen);
      demo.stderr.on('data', listen);
      demo.once('close', (code) => reject(new Error(`demo ended (${code}):\n${said}`)));
    });
    const client = await openaiClient(url);
    const { data } = await client.models.list();
    const model = data[0]?.id;
    assert.ok(model, `no models; the demo said:\n${said}`);
    const stream = await client.chat.completions.create({
      model,
      stream: true,
      messages: [{ role: 'user', content: 'Hello' }],
    });
    const { pieces, finish } = await readChat(stream);
    assert.ok(pieces.length > 1, 'streamed in pieces');
    assert.equal(finish, 'stop');
    const gone = once(demo, 'close');
    process.kill(-(demo.pid as number), 'SIGINT');
    await gone;
  });
});

/** Ends a process and what it started. */
function stopGroup(child: ChildProcess): void {
  try {
    process.kill(-(child.pid as number), 'SIGKILL');
  } catch {
    // Already gone.
  }
}
