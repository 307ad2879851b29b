/** Units as people write them in configuration: durations, sizes, rates, percentages. Pure. */

const DURATION_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZE: Record<string, number> = {
  '': 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** `30s`, `500ms`, `1h30m`, `0` → milliseconds; undefined where it is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d+)?(ms|s|min|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, count, , unit] of text.matchAll(/(\d+(\.\d+)?)(ms|s|min|m|h|d)/g)) {
    total += Number(count) * (DURATION_MS[unit ?? ''] ?? Number.NaN);
  }
  // 1.1 × 1000 is a little more than 1100.
  return Number.isFinite(total) && total <= 2 ** 47 ? Math.round(total * 1000) / 1000 : undefined;
}

/** `16KiB`, `1MiB`, `4096` → bytes; undefined where it is not a size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$/.exec(text);
  if (!match) return undefined;
  const bytes = Number(match[1]) * (SIZE[match[2] ?? ''] ?? Number.NaN);
  const whole = Math.round(bytes);
  return Number.isSafeInteger(whole) && Math.abs(bytes - whole) < 1e-3 ? whole : undefined;
}

/** `20%`, `0.5%` → a fraction (0.2, 0.005); undefined where it is not a percentage from 0 to 100. */
export function parsePercent(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (!match) return undefined;
  const value = Number(match[1]);
  return value <= 100 ? value / 100 : undefined;
}

/** Milliseconds as people write them: `1500` → `1.5s`. */
export function formatDuration(ms: number): string {
  if (ms >= 3_600_000 && ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000}m`;
  if (ms >= 1000) return `${ms / 1000}s`;
  return `${ms}ms`;
}

/** Bytes as people write them: `65536` → `64KiB`. */
export function formatSize(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB'] as const) {
    const size = SIZE[unit] ?? 1;
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}`;
}
