/**
 * The value types that every room's `config.ts` shares. A schema gives validation, TypeScript type, default and
 * documentation at once. `meta.example` is what the error message tells people to write instead.
 */
import { z } from 'zod';
import { parseDuration, parsePercent, parseSize } from './limit.ts';
import { CLASSES, PRIORITIES } from './priority.ts';

interface Unit {
  /** What it is called in messages. */
  what: string;
  /** Written form → held form; undefined where it is none. */
  parse: (text: string) => number | undefined;
  /** Largest value in the held form, and how it is written. */
  most?: readonly [number, string];
}

// A longer delay would overflow the 32-bit milliseconds of a timer and fire at once.
const DURATION: Unit = { what: 'a duration', parse: parseDuration, most: [2_073_600_000, '24d'] };
const SIZE: Unit = { what: 'a size', parse: parseSize };
const PERCENT: Unit = { what: 'a percentage', parse: parsePercent };

function unit({ what, parse, most }: Unit, example: string, least?: string) {
  const expected = `expected ${what}, such as ${example}`;
  const lowest = least === undefined ? undefined : parse(least);
  return z
    .union([z.string(), z.number()], { error: expected })
    .transform((value, context) => {
      const parsed = parse(String(value));
      const wrong =
        parsed === undefined
          ? expected
          : lowest !== undefined && parsed < lowest
            ? `expected at least ${least}`
            : most !== undefined && parsed > most[0]
              ? `expected at most ${most[1]}`
              : undefined;
      if (parsed === undefined || wrong !== undefined) {
        context.addIssue({ code: 'custom', message: wrong ?? expected });
        return z.NEVER;
      }
      return parsed;
    })
    .meta({ unit: what, examples: [example] });
}

/**
 * A duration, held in milliseconds, at most 24 days. `fallback` is what stands in the documentation, such as `30s`;
 * `least` the shortest that makes sense.
 */
export const duration = (fallback: string, least?: string) =>
  unit(DURATION, fallback === '0' ? '30s' : fallback, least).prefault(fallback);

/** A duration without a default, held in milliseconds, from `least` to `most`. */
export const durationOnly = (example: string, least: string, most: string) =>
  unit({ ...DURATION, most: [parseDuration(most) as number, most] }, example, least);

/** A size, held in bytes; `least` is the smallest that makes sense. */
export const size = (fallback: string, least?: string) => unit(SIZE, fallback, least).prefault(fallback);

/** A percentage, held as a fraction from 0 to 1. */
export const percent = (fallback: string) => unit(PERCENT, fallback).prefault(fallback);

/** A size without a default, held in bytes. */
export const sizeOnly = (example: string, least?: string) => unit(SIZE, example, least);

/** A whole number from `least` to `most`. */
export const count = (fallback: number, least = 0, most = 10_000_000) =>
  z.number().int().min(least).max(most).default(fallback);

/** A name that other parts of the configuration, metrics and logs refer to. */
export const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/, 'expected a name of letters, digits and . _ : / - (at most 128)');

/**
 * A distinguished name on one line, as the log shows those of certificates: parts in the certificate's order, `, ` between them. The
 * space may be left out; a comma inside a part is written `\\,` (RFC 4514 §2.4).
 */
export const distinguishedName = z
  .string()
  .min(1)
  .transform((text) => text.trim().replace(/(\\.)|,\s*/gs, (_, escaped?: string) => escaped ?? ', '));

/** `HOST:PORT`, `:PORT` or `unix:/path`. */
export const address = z
  .string()
  .regex(
    /^(unix:\/[^\0]{1,100}|(\[[0-9a-fA-F:.]+\]|\*|[A-Za-z0-9.-]*):(\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]))$/,
    'expected HOST:PORT, [IPV6]:PORT or unix:/path, such as 127.0.0.1:8080',
  );

/** A time zone by its IANA name; UTC when left out. */
export const timeZone = z.string().refine(isTimeZone, 'expected a time zone, such as Europe/Berlin').default('UTC');

/** Importance: a word or a number, held as a number from 0 to 100. */
export const priority = z
  .union([z.enum(CLASSES), z.number().int().min(0).max(100)], {
    error: 'expected realtime, batch, test or a whole number from 0 to 100',
  })
  .transform((value) => (typeof value === 'number' ? value : PRIORITIES[value]));

function isTimeZone(text: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return true;
  } catch {
    return false;
  }
}
