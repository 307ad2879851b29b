import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { startSimulator } from '../simulate/simulate.ts';
import { alive, configFile, patience, READY, run, workersOf, write } from './serve.fixture.ts';

test('serve: ready line, traffic, access log, reload, drain', patience, async (t) => {
  const simulator = await startSimulator();
  t.after(() => simulator.close());
  const file = configFile(simulator.url);
  const { child, out, exit, match } = run(t, 'serve', '-c', file);
  const [, url, admin] = await match('stderr', READY);
  assert.equal((await fetch(`${url}/health`)).status, 200);
  await match('stdout', /"route":"everything"/);
  assert.equal((await fetch(`${admin}/readyz`)).status, 200);

  const status = async () =>
    (await (await fetch(`${admin}/api/status`)).json()) as { generation: number; configError?: string };
  write(file, simulator.url, 'routs: []');
  child.kill('SIGHUP');
  await match('stderr', /reload refused, configuration 1 stays in force: \S+gatehouse\.yaml:6:1: routs/);
  assert.match((await status()).configError ?? '', /routs/);
  assert.equal((await fetch(`${url}/health`)).status, 200);

  write(file, simulator.url, '', 'renamed'); // noticed without a signal
  await match('stderr', /configuration \d+ is in force/);
  assert.equal((await status()).configError, undefined);
  await fetch(`${url}/health`);
  await match('stdout', /"route":"renamed"/);

  const [worker] = workersOf(child);
  child.kill('SIGTERM');
  assert.equal(await exit, 0);
  assert.equal(alive(worker!), false);
  for (const line of out.stdout.trim().split('\n')) JSON.parse(line);
});

test('serve: what is wrong is said, and it exits with 1', patience, async (t) => {
  const busy = net.createServer().listen(0, '127.0.0.1');
  await new Promise((done) => busy.once('listening', done));
  t.after(() => busy.close());
  const taken = `127.0.0.1:${(busy.address() as net.AddressInfo).port}`;
  const swap = (from: string) => {
    const file = configFile('http://127.0.0.1:1');
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace(`${from}: { ${''}`, (all) => all),
    );
    const text = readFileSync(file, 'utf8');
    const at = text.indexOf('127.0.0.1:0', text.indexOf(from));
    writeFileSync(file, text.slice(0, at) + taken + text.slice(at + '127.0.0.1:0'.length));
    return file;
  };
  const cases: [string, RegExp][] = [
    [configFile('http://127.0.0.1:1', 'worker: 2'), /:6:1: worker: .*workers/],
    ['/no/such/file.yaml', /cannot be read/],
    [swap('listeners'), /listeners\.public\.address: cannot listen on 127.*another process listens there/],
    [swap('admin'), /admin\.address: cannot listen on 127.*another process listens there/],
  ];
  for (const [file, message] of cases) {
    const { out, exit } = run(t, 'serve', '-c', file);
    assert.equal(await exit, 1);
    assert.match(out.stderr, message);
    assert.doesNotMatch(out.stderr, /^\s+at /m, 'no stack trace');
  }
});

test('serve: a worker killed mid-stream breaks its stream visibly; the next request is served', patience, async (t) => {
  const simulator = await startSimulator({ rate: 20, tokens: 10_000 });
  t.after(() => simulator.close());
  const { child, match } = run(t, 'serve', '-c', configFile(simulator.url));
  const [, url, admin] = await match('stderr', READY);
  const body = JSON.stringify({ model: 'simulate', stream: true, messages: [{ role: 'user', content: 'Hello' }] });
  const ask = () => fetch(`${url}/v1/chat/completions`, { method: 'POST', body });
  const reader = (await ask()).body!.getReader();
  assert.equal((await reader.read()).done, false);
  const [worker] = workersOf(child);
  process.kill(worker!, 'SIGKILL');
  await assert.rejects(async () => {
    while (!(await reader.read()).done);
  }, 'the stream must not end as if it were complete');
  const next = await ask();
  assert.equal(next.status, 200);
  await next.body?.cancel();
  assert.match(await (await fetch(`${admin}/metrics`)).text(), /gatehouse_worker_exits_total\{.*SIGKILL.*\} 1/);
});

test('serve: a reload moves the admin port, or is refused with the reason and moves nothing', patience, async (t) => {
  const file = configFile('http://127.0.0.1:1');
  const { child, match } = run(t, 'serve', '-c', file);
  const [, url, admin] = await match('stderr', READY);
  const busy = net.createServer().listen(0, '127.0.0.1');
  await new Promise((done) => busy.once('listening', done));
  t.after(() => busy.close());
  const first = readFileSync(file, 'utf8');
  const move = (address: string) => {
    writeFileSync(file, first.replace(/admin: .*/, `admin: { address: "${address}" }`));
    child.kill('SIGHUP');
  };
  const status = async (at: string) =>
    (await (await fetch(`${at}/api/status`)).json()) as { generation: number; configError?: string };

  const taken = `127.0.0.1:${(busy.address() as net.AddressInfo).port}`;
  move(taken);
  await match('stderr', /reload refused, .*admin\.address: cannot listen on 127.*another process listens there/);
  assert.equal((await status(admin!)).generation, 1);

  const socket = `${file}.sock`;
  move(`unix:${socket}`);
  await match('stderr', /the admin API has moved to unix:/);
  await assert.rejects(fetch(`${admin}/readyz`));
  const answer = execFileSync('curl', ['-s', '--unix-socket', socket, 'http://localhost/metrics'], {
    encoding: 'utf8',
  });
  assert.match(answer, /^gatehouse_workers\{state="ready"\} 1$/m);
  assert.match(answer, /^gatehouse_workers\{state="draining"\} 0$/m);
  assert.equal((await fetch(url!)).status, 502, 'traffic goes on');
});

test('serve: stopped while it starts, it takes down what has come up', patience, async (t) => {
  const file = configFile('http://127.0.0.1:1');
  const socket = `${file}.sock`;
  writeFileSync(file, readFileSync(file, 'utf8').replace('"127.0.0.1:0" } }', `"unix:${socket}" } }`));
  const { child, exit, out } = run(t, 'serve', '-c', file);
  while (workersOf(child).length === 0) await new Promise((done) => setTimeout(done, 1));
  child.kill('SIGHUP');
  child.kill('SIGTERM');
  assert.equal(await exit, 0);
  assert.match(out.stderr, /SIGTERM: (stopped before it was ready|draining)/);
  assert.equal(existsSync(socket), false);
});

test('serve: a signal and the watch do not load the same change twice', patience, async (t) => {
  const simulator = await startSimulator();
  t.after(() => simulator.close());
  const file = configFile(simulator.url);
  const { child, match } = run(t, 'serve', '-c', file);
  const [, url, admin] = await match('stderr', READY);
  const generation = async () =>
    ((await (await fetch(`${admin}/api/status`)).json()) as { generation: number }).generation;
  // It stands still until both are there: else the watch could be first, where this test is held up between the two.
  child.kill('SIGSTOP');
  write(file, simulator.url, '', 'second');
  child.kill('SIGHUP');
  child.kill('SIGCONT');
  await match('stderr', /configuration 2 is in force/);
  write(file, simulator.url, '', 'third'); // noticed by the watch, which would have told of the second before
  await match('stderr', /configuration 3 is in force/);
  await fetch(`${url}/health`);
  await match('stdout', /"route":"third"/);
  assert.equal(await generation(), 3);
});

test('serve: killed with its workers left alone, they go too', patience, async (t) => {
  const { child, match } = run(t, 'serve', '-c', configFile('http://127.0.0.1:1'));
  await match('stderr', READY);
  const workers = workersOf(child);
  child.kill('SIGKILL');
  while (workers.some(alive)) await new Promise((done) => setTimeout(done, 10));
});

test('demo: the printed lines work when pasted, and Ctrl-C ends all of it', patience, async (t) => {
  const { child, out, exit, match } = run(t, 'demo');
  await match('stdout', /Ctrl-C/);
  assert.match(
    out.stdout,
    /^gatehouse demo: ready gateway=http:\/\/127\.0\.0\.1:\d+ admin=http:\S+ simulator=http:\S+\n/,
  );
  const curls = out.stdout.split('\n').filter((line) => line.startsWith('curl '));
  const answers = curls.map((line) => execFileSync('sh', ['-c', `${line} -s`], { encoding: 'utf8' }));
  assert.equal(answers.length, 3);
  assert.equal(JSON.parse(answers[0]!).choices[0].message.role, 'assistant');
  assert.ok(answers[1]!.trimEnd().endsWith('data: [DONE]'));
  const again = execFileSync('sh', ['-c', `${curls[0]} -s`], { encoding: 'utf8' });
  assert.ok(JSON.parse(again).error, 'the faults that the third line asked for');
  const [worker] = workersOf(child);
  child.kill('SIGINT');
  assert.equal(await exit, 0);
  assert.equal(alive(worker!), false);
});
