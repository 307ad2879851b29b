/** Results as tables for people. */
import { type Figure, MEASURES, type Measure, type PeerResult, REFERENCE } from '../measure/figures.ts';

/** The results of one scenario. */
export interface ScenarioResult {
  scenario: string;
  title: string;
  unit: string;
  /** What its pairs compare it to. */
  over?: string;
  peers: PeerResult[];
}

/** One scenario's table, with what went wrong and who took no part beneath it. */
export function renderScenario({ scenario, title, unit, over, peers }: ScenarioResult): string {
  const measures = MEASURES.filter(({ key }) => peers.some(({ figures }) => figures[key]));
  const header = ['peer', ...measures.map((measure) => measure.title.replace('%', unit).replace('@', over ?? ''))];
  const rows = peers
    .filter(({ skipped }) => skipped === undefined)
    .map((peer) => [
      `${peer.peer} ${peer.version}${Object.keys(peer.errors).length > 0 ? ' (!)' : ''}`,
      ...measures.map((measure) => renderFigure(measure, peer.figures[measure.key], peer.peer === REFERENCE)),
    ]);
  const notes = peers.flatMap(({ peer, skipped, errors }) => {
    if (skipped !== undefined) return [`  ${peer}: left out, ${skipped}`];
    const list = Object.entries(errors).map(([what, count]) => `${count} × ${what}`);
    return list.length > 0 ? [`  (!) ${peer}: ERRORS: ${list.join('; ')}`] : [];
  });
  return [`${scenario}: ${title}`, ...columns([header, ...rows]), ...notes, ''].join('\n');
}

/** One figure, such as `24.3 µs ±4% (1.12×)`, of pairs with its interval, `1.9 µs (1.7 to 2.2)`; `-` when there is none. */
export function renderFigure({ unit }: Pick<Measure, 'unit'>, figure: Figure | undefined, isReference = false): string {
  if (!figure || Number.isNaN(figure.value)) return '-';
  if (figure.interval) {
    const [low, high] = figure.interval.map((value) => value.toFixed(unit === '×' ? 2 : 1));
    return `${withUnit(figure.value, unit)} (${low} to ${high})`;
  }
  const value = unit === '/s' ? `${Math.round(figure.value).toLocaleString('en')}/s` : withUnit(figure.value, unit);
  if (unit === '/s' || unit === '%' || unit === 'tenth' || unit === 'share' || unit === 'count' || unit === 'index')
    return value;
  const noise = figure.spread >= 0.005 ? ` ±${Math.round(figure.spread * 100)}%` : '';
  const ratio = figure.ratio === undefined || isReference ? '' : ` (${figure.ratio.toFixed(2)}×)`;
  return `${value}${noise}${ratio}`;
}

function withUnit(value: number, unit: string): string {
  if (unit === '×') return `${value.toFixed(2)}×`;
  if (unit === 'share') return `${value.toFixed(3)}%`;
  if (unit === 'count') return Number.isInteger(value) ? value.toLocaleString('en') : value.toFixed(1);
  if (unit === 'tenth') return `${value.toFixed(1)}%`;
  if (unit === 'index') return value.toFixed(2);
  if (unit === '%') return `${Math.round(value)}%`;
  return `${Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(1)} ${unit}`;
}

function columns(rows: readonly string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map(
    (row) =>
      `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ')}`,
  );
}
