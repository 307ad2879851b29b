import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LoadReport } from '../load/channel.ts';
import { total } from '../load/outcome.ts';
import { direct } from '../peers/direct.ts';
import { arrive, openGrounds, sleep } from './grounds.ts';
import { FAILOVER, type TrialPlan } from './plan.ts';

test('a server that is killed refuses and resets; back on its port it answers', { timeout: 240_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-test-'));
  const plan: TrialPlan = { ...FAILOVER, servers: 1, perSecond: 200, deadlineMs: 60_000 };
  const ground = { folder, pinning: { proxy: [], helpers: [] }, certificate: undefined };
  const grounds = await openGrounds(direct, plan, ground);
  t.after(async () => {
    await grounds.close();
    rmSync(folder, { recursive: true });
  });
  const counted = async (enough: (report: LoadReport) => boolean) => {
    for (;;) {
      const report = await grounds.load.ask<LoadReport>({ do: 'count' });
      if (enough(report)) return report;
      await sleep(0.02);
    }
  };
  await arrive(grounds, plan);
  await counted(({ outcomes }) => outcomes.right > 50);
  const [server] = grounds.servers;
  await server?.kill();
  await counted(({ outcomes }) => outcomes.refused > 10);
  await server?.start();
  const { right } = (await counted(() => true)).outcomes;
  await counted(({ outcomes }) => outcomes.right > right + 50);
  const { outcomes, errors } = await grounds.load.ask<LoadReport>({ do: 'finish' });
  assert.deepEqual(errors, {});
  assert.equal(outcomes.wrong + outcomes.declined + outcomes.failed + outcomes.timeout, 0, JSON.stringify(outcomes));
  assert.equal(total(outcomes), outcomes.right + outcomes.refused + outcomes.reset);
});
