/** The alert rules on certificates that we ship, as Prometheus reads them: who is late is told, who is not is not. */
import { match } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { needs } from '../peers.ts';
import { inRepository } from '../root.ts';

const DAY = 86_400;
/** The rules see time as promtool has it: from 0. */
const AT = '2h';
const NOW = 2 * 3600;

/** Days that are left, days of its whole life → the alerts that fire. */
const cases: [name: string, left: number, life: number, fires: ('Soon' | 'Now')[]][] = [
  ['a year, a month left', 30, 365, []],
  ['a year, ten days left', 10, 365, ['Soon']],
  ['ninety days, due for renewal', 30, 90, []],
  ['ninety days, a day left', 1, 90, ['Soon', 'Now']],
  ['six days, due for renewal', 2, 6, []],
  ['six days, a day left', 1, 6, ['Soon']],
  ['six days, hours left', 0.5, 6, ['Soon', 'Now']],
  ['expired', -1, 365, ['Soon', 'Now']],
];

test('alerts on certificates', needs({ commands: ['promtool'] }), (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-alerts-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const rules = inRepository('deploy', 'prometheus', 'certificates.yaml');
  match(execFileSync('promtool', ['check', 'rules', rules], { encoding: 'utf8' }), /SUCCESS: 3 rules found/);
  const tests = cases.map(([certificate, left, life, fires]) => {
    const labels = `{source="config",certificate="${certificate}"}`;
    const steady = (name: string, value: number) => ({ series: name + labels, values: `${value}x120` });
    const alert = (which: 'Soon' | 'Now', severity: string) => ({
      eval_time: AT,
      alertname: `GatehouseCertificateExpires${which}`,
      exp_alerts: fires.includes(which)
        ? [{ exp_labels: { source: 'config', certificate, severity }, exp_annotations: { summary: SUMMARY } }]
        : [],
    });
    const SUMMARY = `The certificate ${certificate} (config) expires in ${spoken(left)}`;
    return {
      interval: '1m',
      input_series: [
        steady('gatehouse_certificate_expiry_timestamp_seconds', NOW + left * DAY),
        steady('gatehouse_certificate_lifetime_seconds', life * DAY),
      ],
      alert_rule_test: [alert('Soon', 'warning'), alert('Now', 'critical')],
    };
  });
  const file = join(folder, 'test.yaml');
  writeFileSync(file, stringify({ rule_files: [rules], tests }));
  match(execFileSync('promtool', ['test', 'rules', file], { encoding: 'utf8' }), /SUCCESS/);
});

/** As `humanizeDuration` says it. */
function spoken(days: number): string {
  const hours = Math.abs(days) * 24;
  const sign = days < 0 ? '-' : '';
  return hours < 24 ? `${sign}${hours}h 0m 0s` : `${sign}${Math.floor(hours / 24)}d ${hours % 24}h 0m 0s`;
}
