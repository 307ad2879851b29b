/** Counters over an upgrade: they start again, and Prometheus makes the right rates of it. */
import { equal, ok } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { stringify } from 'yaml';
import { startGateway } from '../gateway.ts';
import { needs } from '../peers.ts';
import { startEcho } from '../traffic.ts';

const SERIES = 'gatehouse_requests_total';
const BEFORE = 30;
const AFTER = 12;

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('an upgrade is a reset to Prometheus, and a replaced worker is none', {
  timeout: 180_000,
  ...needs({ commands: ['promtool'] }),
}, async (t) => {
  const echo = await startEcho();
  t.after(() => echo.close());
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    upstreams: { one: { endpoints: [{ url: echo.url }] } },
    routes: [{ name: 'all', upstream: 'one' }],
  });
  const status = async () =>
    (await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as {
      pid: number;
      workers: { pid: number; state: string }[];
    };
  t.after(async () => {
    const { pid } = await status().catch(() => ({ pid: 0 }));
    if (pid !== 0 && pid !== gateway.child.pid) process.kill(pid, 'SIGTERM');
    await gateway.stop();
  });
  const ask = async (times: number) => {
    for (let i = 0; i < times; i++) {
      // A connection of its own: one that was kept ends with the process that is upgraded.
      const answer = await fetch(`${gateway.url}/echo/${i}`, { headers: { connection: 'close' } });
      equal(await answer.text(), `${i}`);
    }
  };
  const old = await status();
  await ask(BEFORE);
  const readings = [await gateway.metricReaches(SERIES, BEFORE)];
  // What a worker has reported stays when it is killed.
  process.kill(old.workers[0]?.pid as number, 'SIGKILL');
  await gateway.waitFor(/was killed by SIGKILL; it is replaced/);
  while (!(await status()).workers.some(({ state }) => state === 'ready')) await setTimeout(50);
  readings.push(await gateway.metric(SERIES));
  equal((await fetch(`${gateway.adminUrl}/api/upgrade`, { method: 'POST' })).status, 200);
  // Until then it answers on connections to its admin port that were kept.
  while (lives(old.pid)) await setTimeout(50);
  await ask(AFTER);
  readings.push(await gateway.metricReaches(SERIES, AFTER));
  equal(readings.join(' '), `${BEFORE} ${BEFORE} ${AFTER}`);

  const file = join(mkdtempSync(join(tmpdir(), 'gatehouse-counters-')), 'test.yaml');
  const asked = (expr: string, value: number) => ({ expr, eval_time: '2m', exp_samples: [{ labels: '{}', value }] });
  const promql_expr_test = [
    asked(`resets(${SERIES}[5m])`, 1),
    // All that came since the start again, and no fall; Prometheus stretches it to the whole range.
    asked(`increase(${SERIES}[5m]) >= bool ${AFTER}`, 1),
    asked(`sum(rate(${SERIES}[5m])) > bool 0`, 1),
  ];
  const input_series = [{ series: SERIES, values: readings.join(' ') }];
  writeFileSync(file, stringify({ tests: [{ interval: '1m', input_series, promql_expr_test }] }));
  ok(execFileSync('promtool', ['test', 'rules', file], { encoding: 'utf8' }).includes('SUCCESS'));
});
