/** What a reload changes, in words. */
import { type Config, describeChange } from '../config/config.ts';

interface Whole {
  config: Config;
  files: Record<string, string>;
}

/** What a configuration changes, its files included. */
export function changesTo(before: Whole, after: Whole): string[] {
  const paths = new Set([...Object.keys(before.files), ...Object.keys(after.files)]);
  const changed = [...paths].filter((path) => before.files[path] !== after.files[path]);
  return [...describeChange(before.config, after.config), ...changed.map((path) => `file ${path}: changed`)];
}
