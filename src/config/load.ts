/** A file's text → a checked configuration, or everything that is wrong with it. */
import type { z } from 'zod';
import { crosscheck } from './crosscheck.ts';
import { got } from './expect.ts';
import { type Config, configSchema } from './file.ts';
import { type Fragment, joinFragments } from './fragments.ts';
import { reportIssues } from './issues.ts';
import { partsOf, partsOfWrong } from './parts.ts';
import { loadPem } from './pem.ts';
import { type Path, type Place, type Problem, placeOf, sorted } from './problem.ts';
import type { Surroundings } from './reference.ts';
import { checkRoutes } from './routecheck.ts';
import { loadTokenizers } from './tokenizercheck.ts';

/** A right file. */
export interface Loaded {
  ok: true;
  config: Config;
  /** Text of every PEM file, by the name that its setting holds. With `config` it is all that a worker needs. */
  files: Record<string, string>;
  /** Absolute paths of all files that were read: when one changes, the configuration may have changed. */
  sources: string[];
  warnings: Problem[];
}

/** A wrong file. */
export interface NotLoaded {
  ok: false;
  /** By line; never empty. */
  problems: Problem[];
  warnings: Problem[];
  sources: string[];
}

/** Checks the text of a configuration, or of the files it is made of. `now`: milliseconds since 1970. */
export function checkFragments(fragments: readonly Fragment[], around: Surroundings, now: number): Loaded | NotLoaded {
  const { joined: tree, problems, warnings } = joinFragments(fragments, around, EMPTY);
  const end = (): NotLoaded => ({
    ok: false,
    problems: sorted([...problems, ...(tree?.report.problems ?? [])]),
    warnings: [...warnings, ...(tree?.report.warnings ?? [])],
    sources: [...around.sources],
  });
  if (tree === undefined) return end();
  const { report } = tree;
  if (typeof tree.value !== 'object' || tree.value === null || Array.isArray(tree.value)) {
    const empty = tree.value === undefined || tree.value === null;
    report.atOffset(tree.place.value, [], empty ? EMPTY : `expected a mapping, ${got(tree.value)}; ${NEEDED}`);
    return end();
  }
  let parsed = configSchema.safeParse(tree.value);
  if (!parsed.success && retype(parsed.error.issues, [], tree.value, tree.place))
    parsed = configSchema.safeParse(tree.value);
  if (!parsed.success) reportIssues(parsed.error.issues, tree.value, report);
  const parts = parsed.success ? partsOf(parsed.data) : partsOfWrong(tree.value);
  crosscheck(parts, report);
  checkRoutes(parts, report);
  const files = loadPem(parts, around, now, report);
  loadTokenizers(parts, around, report);
  if (problems.length > 0 || report.failed || !parsed.success) return end();
  const { data: config } = parsed;
  return { ok: true, config, files, sources: [...around.sources], warnings: [...warnings, ...report.warnings] };
}

const NEEDED = 'it needs at least "listeners" and "routes": see examples/minimal.yaml';
const EMPTY = `the file is empty; ${NEEDED}`;

/**
 * `workers: ${WORKERS}` gives a string where a number is wanted. Where the schema asks for a number or a boolean and a
 * reference gave a text that is one, the text is turned into it. Tells whether anything was.
 */
function retype(issues: readonly z.core.$ZodIssue[], base: Path, value: object, root: Place): boolean {
  let changed = false;
  for (const issue of issues) {
    const path = [...base, ...(issue.path as (string | number)[])];
    if (issue.code === 'invalid_union') {
      for (const branch of issue.errors) changed = retype(branch, path, value, root) || changed;
    }
    if (issue.code !== 'invalid_type' || !/^(number|int|boolean)$/.test(issue.expected)) continue;
    const last = path.at(-1);
    if (last === undefined || placeOf(root, path).place?.origin === undefined) continue;
    const holder = path
      .slice(0, -1)
      .reduce<unknown>((here, step) => (here as Record<string | number, unknown>)?.[step], value) as Record<
      string | number,
      unknown
    >;
    const text = holder?.[last];
    if (typeof text !== 'string') continue;
    if (issue.expected === 'boolean' ? text === 'true' || text === 'false' : /^-?\d+(\.\d+)?$/.test(text)) {
      holder[last] = issue.expected === 'boolean' ? text === 'true' : Number(text);
      changed = true;
    }
  }
  return changed;
}
