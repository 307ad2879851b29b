/** A strict reader of the exposition text, for tests: throws where the text breaks the format's rules. */

/** One sample line. */
export interface ParsedSample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** One family with its samples. */
export interface ParsedFamily {
  name: string;
  type: string;
  help: string;
  unit: string | undefined;
  samples: ParsedSample[];
}

/** Reads a whole exposition; `openMetrics` holds it to those rules. */
export function parseExposition(text: string, openMetrics: boolean): Map<string, ParsedFamily> {
  if (!text.endsWith('\n')) throw new Error('no line feed at the end');
  const lines = text.slice(0, -1).split('\n');
  if (openMetrics && lines.pop() !== '# EOF') throw new Error('no # EOF');
  const families = new Map<string, ParsedFamily>();
  const seen = new Set<string>();
  let family: ParsedFamily | undefined;
  for (const line of lines) {
    const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/s.exec(line);
    if (help) {
      const name = help[1]!;
      if (families.has(name)) throw new Error(`family ${name} stands twice`);
      family = { name, type: '', help: unescapeText(help[2]!, openMetrics), unit: undefined, samples: [] };
      families.set(name, family);
      continue;
    }
    if (!family) throw new Error(`before any family: ${line}`);
    const meta = /^# (TYPE|UNIT) (\S+) (\S+)$/.exec(line);
    if (meta) {
      if (meta[2] !== family.name || family.samples.length > 0) throw new Error(`misplaced: ${line}`);
      if (meta[1] === 'TYPE') family.type = meta[3]!;
      else family.unit = meta[3]!;
      if (family.unit !== undefined && !family.name.endsWith(`_${family.unit}`)) throw new Error(`unit: ${line}`);
      continue;
    }
    const sample = parseSample(line);
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    if (seen.has(key)) throw new Error(`sample stands twice: ${line}`);
    seen.add(key);
    checkName(family, sample, openMetrics);
    family.samples.push(sample);
  }
  for (const one of families.values()) if (one.type === 'histogram') checkHistogram(one);
  return families;
}

function parseSample(line: string): ParsedSample {
  const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/s.exec(line);
  if (!match) throw new Error(`not a sample: ${line}`);
  const labels: Record<string, string> = {};
  let rest = match[2] ?? '';
  while (rest !== '') {
    const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/s.exec(rest);
    if (!label) throw new Error(`label: ${rest}`);
    if (label[1]! in labels) throw new Error(`label twice: ${line}`);
    labels[label[1]!] = unescapeText(label[2]!, true);
    rest = rest.slice(label[0].length);
    if (label[3] === ',' && rest === '') throw new Error(`comma at the end: ${line}`);
  }
  return { name: match[1]!, labels, value: numberOf(match[3]!) };
}

function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  if (!/^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(text)) throw new Error(`number: ${text}`);
  return Number(text);
}

function unescapeText(text: string, quotes: boolean): string {
  return text.replace(/\\(.)/g, (whole, c: string) =>
    c === 'n' ? '\n' : c === '\\' || (quotes && c === '"') ? c : whole,
  );
}

function checkName(family: ParsedFamily, sample: ParsedSample, openMetrics: boolean): void {
  const suffixes =
    family.type === 'histogram'
      ? ['_bucket', '_sum', '_count']
      : [family.type === 'counter' && openMetrics ? '_total' : ''];
  if (!suffixes.some((suffix) => sample.name === family.name + suffix)) {
    throw new Error(`${sample.name} does not belong to the ${family.type} ${family.name}`);
  }
  if (family.type === 'counter' && !sample.name.endsWith('_total')) throw new Error(`counter ${sample.name}`);
  if (family.type !== 'gauge' && !(sample.value >= 0)) throw new Error(`negative: ${sample.name}`);
}

function checkHistogram(family: ParsedFamily): void {
  const runs = new Map<string, { le: number; count: number; total: number }>();
  for (const { name, labels, value } of family.samples) {
    const { le, ...own } = labels;
    const key = JSON.stringify(own);
    const run = runs.get(key) ?? { le: Number.NEGATIVE_INFINITY, count: 0, total: -1 };
    runs.set(key, run);
    if (name.endsWith('_bucket')) {
      const bound = numberOf(le!);
      if (bound <= run.le || value < run.count) throw new Error(`buckets of ${family.name} fall`);
      run.le = bound;
      run.count = value;
    } else if (name.endsWith('_count')) run.total = value;
  }
  for (const run of runs.values()) {
    if (run.le !== Number.POSITIVE_INFINITY || run.total !== run.count) throw new Error(`+Inf of ${family.name}`);
  }
}
