/** A place that a configuration comes from. */
import type { Loaded, NotLoaded } from './load.ts';
import type { Watched } from './watch.ts';

/** A place that a configuration comes from. */
export interface Source {
  /** Reads and checks it. Never rejects. */
  load(): Promise<Loaded | NotLoaded>;
  /** What was loaded last is in force: worth keeping. Returns why it could not be kept. */
  accepted(): string | undefined;
  /** Calls `changed` when another load may give something else. */
  watch(changed: () => void): Watched;
}

/** What a source may use of its surroundings. */
export interface SourceOptions {
  env: Readonly<Record<string, string | undefined>>;
  /** Between two looks at a bucket, in milliseconds. */
  pollMs: number;
  /** Folder for the last good copy of a bucket's configuration. */
  keep?: string;
}

/** Milliseconds between two looks at files. */
export const WATCH_MS = 1000;
