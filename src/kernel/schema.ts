/**
 * The value types that every room's `config.ts` shares. A schema gives validation, TypeScript type, default and
 * documentation at once. `meta.example` is what the error message tells people to write instead.
 */
import { z } from 'zod';
import { parseDuration, parsePercent, parseSize } from './limit.ts';

function unit(parse: (text: string) => number | undefined, what: string, example: string) {
  return z
    .union([z.string(), z.number()])
    .transform((value, context) => {
      const parsed = parse(String(value));
      if (parsed === undefined) {
        context.addIssue({ code: 'custom', message: `expected ${what}, such as ${example}` });
        return z.NEVER;
      }
      return parsed;
    })
    .meta({ unit: what, examples: [example] });
}

/** A duration, held in milliseconds. `fallback` is what stands in the documentation, such as `30s`. */
export const duration = (fallback: string) => unit(parseDuration, 'a duration', fallback).prefault(fallback);

/** A size, held in bytes. */
export const size = (fallback: string) => unit(parseSize, 'a size', fallback).prefault(fallback);

/** A percentage, held as a fraction from 0 to 1. */
export const percent = (fallback: string) => unit(parsePercent, 'a percentage', fallback).prefault(fallback);

/** The same three without a default, for `.optional()` overrides. */
export const durationOnly = (example: string) => unit(parseDuration, 'a duration', example);
export const sizeOnly = (example: string) => unit(parseSize, 'a size', example);

/** A whole number from `least` to `most`. */
export const count = (fallback: number, least = 0, most = 10_000_000) =>
  z.number().int().min(least).max(most).default(fallback);

/** A name that other parts of the configuration, metrics and logs refer to. */
export const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/, 'expected a name of letters, digits and . _ : / - (at most 128)');

/** `HOST:PORT`, `:PORT` or `unix:/path`. */
export const address = z
  .string()
  .regex(
    /^(unix:\/.{1,100}|(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.*-]*):\d{1,5})$/,
    'expected HOST:PORT, [IPV6]:PORT or unix:/path, such as 127.0.0.1:8080',
  );
