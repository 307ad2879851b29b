/** The operational log: what an operator should read, for a person on a terminal, as JSON lines otherwise. */
import type { Clock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { quote, timestamp } from './json.ts';

/** Where and how notices are written. */
export interface OpLogOptions {
  clock: Clock;
  /** Takes one line, line feed included: standard error. */
  write: (line: string) => void;
  /** `human` on a terminal, `json` otherwise. */
  format: 'human' | 'json';
  /** Colours by level, human format only; off when left out. */
  color?: boolean;
  /** Least level that is written; `info` when left out. */
  level?: NoticeEvent['level'];
  /** Name of the process in JSON lines (`supervisor`, `worker-1`); left out when empty. */
  process?: string;
}

const RANK = { info: 0, warn: 1, error: 2 } as const;
const COLOR = { info: '\x1b[36m', warn: '\x1b[33m', error: '\x1b[31m' } as const;
const MAX_MESSAGE = 4096;
/** A message that comes again within this time is only counted. */
const REPEAT_MS = 1000;

/**
 * Gives the function that writes notices. The same message many times a second is written once and its repeats are
 * counted, so that a flapping server cannot fill the disk.
 */
export function createOpLog(options: OpLogOptions): (notice: NoticeEvent) => void {
  const least = RANK[options.level ?? 'info'];
  const line = options.format === 'human' ? humanLine : jsonLine;
  let last = '';
  let lastAt = Number.NEGATIVE_INFINITY;
  let repeats = 0;
  return (notice) => {
    if (RANK[notice.level] < least) return;
    const now = options.clock.now();
    if (notice.message === last && now - lastAt < REPEAT_MS) {
      repeats++;
      return;
    }
    if (repeats > 0) {
      const message = `the message before came ${repeats} more times`;
      options.write(line({ level: 'info', message }, options));
    }
    last = notice.message;
    lastAt = now;
    repeats = 0;
    options.write(line(notice, options));
  };
}

function jsonLine(notice: NoticeEvent, options: OpLogOptions): string {
  let text =
    `{"timestamp":"${timestamp(options.clock.wall())}","level":"${notice.level}"` +
    `,"message":${quote(notice.message, MAX_MESSAGE)}`;
  if (options.process) text += `,"process":${quote(options.process)}`;
  for (const [key, value] of Object.entries(notice.attributes ?? {})) {
    // An attribute may not pass itself off as one of the fields above.
    const name = RESERVED.has(key) ? `${key}_` : key;
    text += `,${quote(name)}:${typeof value === 'string' ? quote(value) : JSON.stringify(value)}`;
  }
  return `${text}}\n`;
}

const RESERVED = new Set(['timestamp', 'level', 'message', 'process']);

function humanLine(notice: NoticeEvent, options: OpLogOptions): string {
  const level = notice.level.padEnd(5);
  const shown = options.color ? `${COLOR[notice.level]}${level}\x1b[0m` : level;
  let text = `${timestamp(options.clock.wall())} ${shown} ${plain(notice.message, MAX_MESSAGE)}`;
  for (const [key, value] of Object.entries(notice.attributes ?? {})) {
    const written = plain(String(value), 1024);
    text += ` ${plain(key, 128)}=${/[\s"=]/.test(written) || written === '' ? quote(String(value)) : written}`;
  }
  return `${text}\n`;
}

/** Text that cannot steer a terminal: control characters become their JSON escapes. */
function plain(text: string, most: number): string {
  return quote(text, most)
    .slice(1, -1)
    .replace(/\\(["\\])/g, '$1');
}
