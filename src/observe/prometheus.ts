/**
 * Metrics as text: the Prometheus exposition format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats) and
 * OpenMetrics 1.0 (github.com/prometheus/OpenMetrics). Pure.
 */
import type { FamilySnapshot, Snapshot } from './definition.ts';
import { strideOf } from './definition.ts';

/** `Content-Type` of the Prometheus text format. */
export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
/** `Content-Type` of OpenMetrics. */
export const OPENMETRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** The exposition text of a (merged) snapshot; families without series are left out. */
export function renderPrometheus(merged: Snapshot, openMetrics = false): string {
  let out = '';
  for (const family of merged.families) if (family.series.length > 0) out += renderFamily(family, openMetrics);
  return openMetrics ? `${out}# EOF\n` : out;
}

function renderFamily(family: FamilySnapshot, openMetrics: boolean): string {
  // OpenMetrics names a counter family without the suffix that its samples carry; 0.0.4 names it as the samples.
  const name = openMetrics && family.kind === 'counter' ? family.name.replace(/_total$/, '') : family.name;
  let out = `# HELP ${name} ${escapeHelp(family.help, openMetrics)}\n# TYPE ${name} ${family.kind}\n`;
  if (openMetrics && family.unit !== '') out += `# UNIT ${name} ${family.unit}\n`;
  const stride = strideOf(family.kind, family.bounds);
  for (let i = 0; i < family.series.length; i++) {
    const labels = labelText(family.labels, family.series[i]!);
    const at = i * stride;
    if (family.kind === 'histogram') out += renderHistogram(family, labels, at, openMetrics);
    else out += `${family.name}${labels === '' ? '' : `{${labels}}`} ${numberText(family.values[at]!)}\n`;
  }
  return out;
}

function renderHistogram(family: FamilySnapshot, labels: string, at: number, openMetrics: boolean): string {
  const { name, bounds, values } = family;
  const before = labels === '' ? '' : `${labels},`;
  let out = '';
  let count = 0;
  for (let i = 0; i < bounds.length; i++) {
    count += values[at + i]!;
    out += `${name}_bucket{${before}le="${boundText(bounds[i]!, openMetrics)}"} ${numberText(count)}\n`;
  }
  count += values[at + bounds.length]!;
  const own = labels === '' ? '' : `{${labels}}`;
  out += `${name}_bucket{${before}le="+Inf"} ${numberText(count)}\n`;
  out += `${name}_sum${own} ${numberText(values[at + bounds.length + 1]!)}\n`;
  return `${out}${name}_count${own} ${numberText(count)}\n`;
}

function labelText(names: readonly string[], values: readonly string[]): string {
  let out = '';
  for (let i = 0; i < names.length; i++) out += `${i === 0 ? '' : ','}${names[i]}="${escapeLabel(values[i]!)}"`;
  return out;
}

/** Label values: backslash, quote and line feed are escaped; lone surrogates cannot be sent as UTF-8 and become U+FFFD. */
export function escapeLabel(value: string): string {
  if (!/["\\\n\ud800-\udfff]/.test(value)) return value;
  return wellFormed(value).replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}

/** HELP text: 0.0.4 escapes backslash and line feed, OpenMetrics the quote as well. */
function escapeHelp(text: string, openMetrics: boolean): string {
  const escaped = text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
  return openMetrics ? escaped.replace(/"/g, '\\"') : escaped;
}

// String.prototype.toWellFormed is not in the language level that we compile against; a round trip through UTF-8 is it.
function wellFormed(value: string): string {
  return Buffer.from(value, 'utf8').toString('utf8');
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}

/** OpenMetrics writes whole bounds as `1.0`, so that all its producers give one label value. */
function boundText(bound: number, openMetrics: boolean): string {
  const text = String(bound);
  return openMetrics && Number.isInteger(bound) && !text.includes('e') ? `${text}.0` : text;
}
