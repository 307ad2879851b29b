import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type Gateway, startGateway } from '../gateway.ts';
import { type RawPeer, rawClient } from '../raw.ts';
import { startEcho, startTraffic, type Tally } from '../traffic.ts';

/** The full count is for a soak; this many show what can go wrong. */
const UPGRADES = Number(process.env.GATEHOUSE_UPGRADES ?? 3);
const patience = { timeout: 120_000 + UPGRADES * 10_000 };

const LOST = ({ refused, reset, wrong, cut }: Tally) => ({ refused, reset, wrong, cut });
const NOTHING = { refused: 0, reset: 0, wrong: 0, cut: 0 };

/** A gateway before the echo server; whoever serves in the end is ended with the test. */
async function start(
  t: TestContext,
  more: object = {},
  env: NodeJS.ProcessEnv = {},
): Promise<Gateway & { pid(): Promise<number> }> {
  const echo = await startEcho();
  t.after(() => echo.close());
  const gateway = await startGateway(
    {
      listeners: { public: { address: '127.0.0.1:0' } },
      drainTimeout: '60s',
      upstreams: { one: { retries: { attempts: 1 }, endpoints: [{ url: echo.url }] } },
      routes: [{ name: 'all', upstream: 'one' }],
      ...more,
    },
    { env },
  );
  const pid = async () => {
    const answer = await fetch(`${gateway.adminUrl}/api/status`);
    return ((await answer.json()) as { pid: number }).pid;
  };
  t.after(async () => {
    const last = await pid().catch(() => 0);
    if (last && last !== gateway.child.pid) process.kill(last, 'SIGTERM');
    await gateway.stop();
    await gone(last);
  });
  return Object.assign(gateway, { pid });
}

async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      if (pid === 0) return;
      process.kill(pid, 0);
    } catch {
      return;
    }
    await setTimeout(20);
  }
}

/** A stream that never ends by itself: who relays it has not done leaving before it is closed. */
async function openStream(gateway: Gateway): Promise<RawPeer> {
  const client = await rawClient(gateway.port);
  await client.send('GET /endless/1 HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.readUntil('data: 1 1');
  return client;
}

async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what().catch(() => false))) await setTimeout(50);
}

/** Processes that this one has started. */
const childrenOf = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

/** Its arguments, each followed by NUL; '' when it has gone. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

const upgrade = async (gateway: Gateway) => {
  const answer = await fetch(`${gateway.adminUrl}/api/upgrade`, { method: 'POST' });
  return { status: answer.status, text: await answer.text() };
};

test(`${UPGRADES} upgrades under load lose nothing`, patience, async (t) => {
  const gateway = await start(t);
  const traffic = startTraffic({ port: gateway.port, keepAlive: 8, fresh: 4, streams: 4 });
  t.after(() => traffic.stop());
  let before = await gateway.pid();
  for (let round = 1; round <= UPGRADES; round++) {
    const { status, text } = await upgrade(gateway);
    equal(status, 200, text);
    await gone(before);
    const after = await gateway.pid();
    ok(after !== before);
    before = after;
  }
  await traffic.reaches({ answered: 101, streams: 4 });
  const tally = await traffic.stop();
  deepEqual(LOST(tally), NOTHING, tally.losses.join('\n'));
});

test('upgrades under load on unix sockets lose nothing', patience, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-unix-'));
  const path = join(folder, 'public.sock');
  const gateway = await start(t, { listeners: { public: { address: `unix:${path}` } } });
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const traffic = startTraffic({ port: 0, path, keepAlive: 4, fresh: 4, streams: 4 });
  t.after(() => traffic.stop());
  const file = statSync(path).ino;
  let before = await gateway.pid();
  for (let round = 1; round <= 2; round++) {
    const { status, text } = await upgrade(gateway);
    equal(status, 200, text);
    await gone(before);
    before = await gateway.pid();
    equal(statSync(path).ino, file, 'the socket is the same one, and the old process has not removed its file');
  }
  await traffic.reaches({ answered: 51, streams: 4 });
  const tally = await traffic.stop();
  deepEqual(LOST(tally), NOTHING, tally.losses.join('\n'));
  // The one that serves now owns the file: it goes with it.
  process.kill(before, 'SIGTERM');
  await gone(before);
  equal(existsSync(path), false);
});

test('a new program that is killed before it serves changes nothing', patience, async (t) => {
  // The new one comes no further than to its first line while this file is there: there is all the time to kill it.
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-held-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [preload, held] = [join(folder, 'preload.cjs'), join(folder, 'held')];
  writeFileSync(
    preload,
    `if (process.argv[2] === 'serve' && require('fs').existsSync(${JSON.stringify(held)}))
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`,
  );
  const gateway = await start(t, { workers: 2 }, { NODE_OPTIONS: `--require=${preload}` });
  writeFileSync(held, '');
  const old = gateway.child.pid as number;
  const traffic = startTraffic({ port: gateway.port, keepAlive: 4, fresh: 4, streams: 2, pause: 5 });
  t.after(() => traffic.stop());
  const asked = upgrade(gateway);
  let young: number | undefined;
  while (young === undefined) {
    young = childrenOf(old).find((pid) => commandOf(pid).includes('\0serve\0'));
    await setTimeout(5);
  }
  process.kill(young, 'SIGKILL');
  const { status, text } = await asked;
  equal(status, 409);
  match(text, /was killed by SIGKILL before it served/);
  const tally = await traffic.stop();
  deepEqual(LOST(tally), NOTHING, tally.losses.join('\n'));
  equal(await gateway.pid(), old);
});

/** A question to the admin port that does not end: closing the port takes its whole time. */
async function slowCaller(t: TestContext, gateway: Gateway): Promise<void> {
  const caller = await rawClient(Number(new URL(gateway.adminUrl).port));
  t.after(() => caller.close());
  await caller.send('POST /api/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n');
}

for (const when of ['', ', when it has only begun to'] as const) {
  test(`a new program that dies while the old one leaves${when}: the old one comes back`, patience, async (t) => {
    const gateway = await start(t);
    const old = gateway.child.pid as number;
    const slow = startTraffic({ port: gateway.port, streams: 4 });
    t.after(() => slow.stop());
    const traffic = startTraffic({ port: gateway.port, keepAlive: 4, fresh: 4, pause: 5 });
    t.after(() => traffic.stop());
    const stream = await openStream(gateway);
    t.after(() => stream.close());
    if (when !== '') await slowCaller(t, gateway);
    equal((await upgrade(gateway)).status, 200);
    const [, young] = await gateway.waitFor(/process (\d+) has taken over/);
    process.kill(Number(young), 'SIGKILL');
    await gateway.waitFor(/the process that took over was killed by SIGKILL; process \d+ serves again/);
    await until(async () => (await fetch(`${gateway.url}/echo/1`)).ok && (await fetch(gateway.adminUrl)).ok);
    stream.close();
    // What the killed one had accepted is cut with it; nobody is refused.
    const tally = await traffic.stop();
    equal(tally.refused, 0);
    equal(tally.wrong, 0);
    equal((await slow.stop()).refused, 0);
    equal(await (await fetch(`${gateway.url}/echo/77`)).text(), '77');
    equal(gateway.child.pid, old);
  });
}

test('an old program that dies while it leaves: the new one serves', patience, async (t) => {
  const gateway = await start(t);
  const old = gateway.child.pid as number;
  const slow = startTraffic({ port: gateway.port, streams: 4 });
  t.after(() => slow.stop());
  const fresh = startTraffic({ port: gateway.port, fresh: 4, pause: 5 });
  t.after(() => fresh.stop());
  const stream = await openStream(gateway);
  t.after(() => stream.close());
  equal((await upgrade(gateway)).status, 200);
  process.kill(old, 'SIGKILL');
  await fresh.reaches({ answered: fresh.tally.answered + 100 });
  stream.close();
  const tally = await fresh.stop();
  deepEqual(LOST(tally), NOTHING, tally.losses.join('\n'));
  // Its workers are orphans that let their streams end.
  const streams = await slow.stop();
  deepEqual(LOST(streams), NOTHING, streams.losses.join('\n'));
  ok((await gateway.pid()) !== old);
});

test('a new program that does not come up changes nothing', patience, async (t) => {
  const gateway = await start(t);
  writeFileSync(gateway.file, 'listeners: 7\n');
  const { status, text } = await upgrade(gateway);
  equal(status, 409);
  const { problems } = JSON.parse(text) as { problems: string[] };
  match(problems[0] ?? '', /exited with code 1 before it served$/);
  match(problems[1] ?? '', /gatehouse\.yaml:1:1: routes: /, 'its reasons come with it');
  equal(await (await fetch(`${gateway.url}/echo/5`)).text(), '5');
  await gateway.waitFor(/upgrade refused, process \d+ goes on/);
});

test('told to stop while the new program starts: neither stays', patience, async (t) => {
  const gateway = await start(t);
  const asked = upgrade(gateway).catch(() => undefined);
  const upgrading = async () =>
    ((await (await fetch(`${gateway.adminUrl}/api/upgrade`)).json()) as { upgrading: boolean }).upgrading;
  await until(upgrading);
  gateway.child.kill('SIGTERM');
  // Nobody holds its output any more, so the new one has gone as well.
  const closed = once(gateway.child, 'close');
  const tookOver = gateway.waitFor(/has taken over/).then(
    () => true,
    () => closed.then(() => false),
  );
  // On a busy machine the signal may come too late: then the new one serves, rightly.
  if (await Promise.race([closed.then(() => false), tookOver])) return t.skip('it had taken over before the signal');
  await asked;
  await rejects(fetch(`${gateway.url}/echo/1`));
});
