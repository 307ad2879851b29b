import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { startAdmin } from '../src/admin/admin.ts';
import { ManualClock } from '../src/kernel/clock.ts';
import { Events } from '../src/kernel/event.ts';
import { Observer, Overview } from '../src/observe/observe.ts';
import { processReader } from '../src/observe/process.ts';
import { sampleExchange } from '../src/observe/sample.test.fixture.ts';
import { freePort } from './port.ts';

const missing =
  spawnSync('prometheus', ['--version']).error && 'Prometheus is not installed (Debian package prometheus)';

test('a real Prometheus scrapes OpenMetrics from us and understands every label', { skip: missing }, async (t) => {
  const clock = new ManualClock();
  const events = new Events();
  const parts = { clock, version: '0.1.0', node: process.version, readProcess: processReader() };
  const observer = new Observer({ ...parts, events, worker: '0', accessLog: undefined });
  const overview = new Overview(parts);
  const route = 'a "quoted\\" name,\n}of{ two lines é中';
  for (let i = 0; i < 3; i++) events.emit('requestEnded', sampleExchange({ exchange: { route } }));
  overview.update('0', observer.snapshot());
  const asked: boolean[] = [];
  const admin = await startAdmin({
    address: '127.0.0.1:0',
    clock,
    notice: () => {},
    handle: {
      metrics: (openMetrics) => {
        asked.push(openMetrics);
        return overview.render(openMetrics);
      },
      status: () => assert.fail('not asked'),
      config: () => ({}),
      health: () => ({ live: true, ready: true, reasons: [] }),
      preview: async () => ({ ok: true, generation: 1, changes: [] }),
      reload: async () => ({ ok: true, generation: 2, changes: ['routes[a]: added'] }),
      upgrade: async () => ({ ok: false, problems: ['not now'] }),
      upgrading: () => false,
      settings: () => ({}),
    },
  });
  t.after(() => admin.close());
  const dir = await mkdtemp(join(tmpdir(), 'gatehouse-prometheus-'));
  const port = await freePort();
  const job = { job_name: 'gatehouse', static_configs: [{ targets: [new URL(admin.url).host] }] };
  const config = { global: { scrape_interval: '1s' }, scrape_configs: [job] };
  await writeFile(join(dir, 'prometheus.yml'), JSON.stringify(config));
  const prometheus = spawn(
    'prometheus',
    [
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  t.after(async () => {
    const gone = once(prometheus, 'close');
    prometheus.kill('SIGKILL');
    await gone;
    await rm(dir, { recursive: true });
  });
  const query = async (text: string, time = '') => {
    const at = time && `&time=${time}`;
    const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(text)}${at}`;
    const answer = await fetch(url).catch(() => undefined);
    const body = answer?.ok ? await answer.json() : {};
    return (
      (body as { data?: { result: { metric: Record<string, string>; value: [number, string] }[] } }).data?.result ?? []
    );
  };
  const scraped = 'timestamp(gatehouse_requests_total)';
  let scrapes = await query(scraped);
  for (const until = Date.now() + 120_000; scrapes.length === 0 && Date.now() < until; ) {
    await wait(100);
    scrapes = await query(scraped);
  }
  // All of it from one scrape: a later one may find us held up.
  const time = scrapes[0]?.value[1] as string;
  const requests = await query('gatehouse_requests_total', time);
  assert.deepEqual([requests[0]?.metric.route, requests[0]?.value[1]], [route, '3']);
  assert.equal((await query('up', time))[0]?.value[1], '1');
  const median = await query('histogram_quantile(0.5, gatehouse_request_duration_seconds_bucket)', time);
  assert.equal(median[0]?.value[1], '1.75');
  assert.ok(asked.length > 0 && asked.every((openMetrics) => openMetrics));
});
