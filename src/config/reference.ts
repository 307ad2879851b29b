/** References in string values: `${NAME}`, `${NAME:-fallback}`, `$${` for the characters themselves, `file:PATH`. */
import { isAbsolute, resolve } from 'node:path';
import { nearest } from './nearest.ts';

/** What references may look at. */
export interface Surroundings {
  env: Readonly<Record<string, string | undefined>>;
  /** Reads a whole file; throws as `node:fs` does. */
  readFile: (path: string) => Uint8Array;
  /** Folder that relative paths start from: that of the configuration file. */
  folder: string;
  /** Absolute paths of the files read so far. */
  sources: Set<string>;
}

/** A value with its references replaced, or what is wrong with them. */
export interface Expansion {
  value: string;
  /** The reference as written, when there was one. */
  origin: string | undefined;
  errors: string[];
}

const MAX_REFERENCED_BYTES = 1024 * 1024;

/**
 * Replaces the references of one string. What a variable holds is taken literally: `file:` counts only where the
 * configuration itself says it, so a variable cannot make Gatehouse read a file.
 */
export function expand(text: string, around: Surroundings): Expansion {
  if (!text.includes('${') && !text.startsWith('file:')) return { value: text, origin: undefined, errors: [] };
  const errors: string[] = [];
  const origins: string[] = [];
  let value = text.replace(/\$\$\{|\$\{([^}]*)(\}?)/g, (whole, inside: string | undefined, end: string) => {
    if (whole === '$${') return '${';
    origins.push(whole);
    return variable(inside ?? '', end, around.env, errors);
  });
  if (text.startsWith('file:') && errors.length === 0) {
    origins.push(text);
    value = contents(value.slice('file:'.length), around, errors);
  }
  return { value, origin: origins.length > 0 ? origins.join(' ') : undefined, errors };
}

function variable(inside: string, end: string, env: Surroundings['env'], errors: string[]): string {
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inside);
  if (end !== '}' || !match) {
    errors.push(
      `"\${${inside}${end}" is not a reference; write \${NAME} or \${NAME:-fallback}, and $\${ for the characters themselves`,
    );
    return '';
  }
  const [, name = '', fallback] = match;
  const held = Object.hasOwn(env, name) ? env[name] : undefined;
  if (fallback !== undefined) return held === undefined || held === '' ? fallback : held;
  if (held !== undefined) return held;
  const near = nearest(name, Object.keys(env));
  const hint =
    near.length > 0
      ? `; did you mean ${near.map((n) => `\${${n}}`).join(' or ')}?`
      : `; set it, or write \${${name}:-fallback}`;
  errors.push(`environment variable ${name} is not set${hint}`);
  return '';
}

function contents(path: string, around: Surroundings, errors: string[]): string {
  if (path === '') {
    errors.push('"file:" names no file; write file:/path, or file:name for one beside this configuration');
    return '';
  }
  const whole = isAbsolute(path) ? path : resolve(around.folder, path);
  const text = readText(whole, around);
  if (text === '') {
    errors.push(`cannot use file ${whole}: it is empty; is it still being written?`);
    return '';
  }
  if (typeof text === 'string') return text.replace(/\r?\n$/, '');
  errors.push(`cannot use file ${whole}: ${text.reason}`);
  return '';
}

/** Reads a small UTF-8 text file and remembers that it was read; says why it cannot be used. */
export function readText(path: string, around: Surroundings): string | { reason: string } {
  around.sources.add(path);
  try {
    const bytes = around.readFile(path);
    if (bytes.length > MAX_REFERENCED_BYTES) {
      return { reason: `it has ${bytes.length} bytes, at most ${MAX_REFERENCED_BYTES} are read` };
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    return { reason: reasonOf(error) };
  }
}

const REASONS: Record<string, string> = {
  ENOENT: 'it does not exist; check the path',
  EACCES: 'permission denied; let the user that runs Gatehouse read it',
  EPERM: 'permission denied; let the user that runs Gatehouse read it',
  EISDIR: 'it is a folder; name a file',
  ENOTDIR: 'a part of its path is not a folder; check the path',
  ELOOP: 'its symbolic links lead in a circle',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not UTF-8 text',
  ERR_INVALID_ARG_VALUE: 'its path holds a NUL character',
};

/** A failed read in words. */
export function reasonOf(error: unknown): string {
  const code = (error as { code?: string } | null)?.code ?? '';
  return REASONS[code] ?? (error instanceof Error ? error.message : String(error));
}
