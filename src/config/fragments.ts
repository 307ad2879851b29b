/**
 * Several files as one configuration: a folder in which templates and automation keep one file per customer. Mappings
 * (listeners, upstreams, models) are joined by name, lists of routes one behind the other in the order of the file names;
 * everything else may stand in one file only. What stands twice is a mistake, told with both places.
 */
import { LineCounter } from 'yaml';
import { parseTree } from './document.ts';
import { got } from './expect.ts';
import { type Place, type Problem, Report } from './problem.ts';
import { expand, type Surroundings } from './reference.ts';

/** One file's text. */
export interface Fragment {
  /** Name for messages. */
  file: string;
  text: string;
}

/** Fragments read as one value, with a report that knows which offset lies in which file. */
export interface Joined {
  value: unknown;
  place: Place;
  report: Report;
}

/** Parts whose entries may come from several files. */
const JOINED = new Set(['listeners', 'upstreams', 'models']);

/** Where a fragment's offsets begin among those of all. */
interface Read {
  fragment: Fragment;
  base: number;
  lines: LineCounter;
}

/** Reads all; undefined when one is no YAML, and then the problems say so. `needed`: what an empty one lacks. */
export function joinFragments(
  fragments: readonly Fragment[],
  around: Surroundings,
  needed: string,
): { joined: Joined | undefined; problems: Problem[]; warnings: Problem[] } {
  const reads: Read[] = [];
  let base = 0;
  for (const fragment of fragments) {
    reads.push({ fragment, base, lines: countLines(fragment.text) });
    // One beyond the end, so that the end of one file is not the start of the next.
    base += fragment.text.length + 1;
  }
  const report = new Report(fragments[0]?.file ?? '', (offset) => {
    const { fragment, base, lines } = readOf(reads, offset);
    return { file: fragment.file, ...lines.linePos(Math.min(offset - base, fragment.text.length)) };
  });
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const trees: { value: unknown; place: Place }[] = [];
  for (const { fragment, base, lines } of reads) {
    const own = new Report(fragment.file, (offset) => lines.linePos(Math.min(offset, fragment.text.length)));
    const tree = parseTree(fragment.text, own, (value) => expand(value, around));
    if (tree === undefined && !own.failed) own.atOffset(0, [], needed);
    problems.push(...own.problems);
    warnings.push(...own.warnings);
    if (tree === undefined) continue;
    shift(tree.place, base, new Set());
    trees.push(tree);
  }
  if (trees.length < reads.length) return { joined: undefined, problems, warnings };
  const first = trees[0] as (typeof trees)[number];
  const joined = trees.length === 1 ? { ...first, report } : { ...join(trees, report), report };
  report.root = joined.place;
  return { joined, problems, warnings };
}

function readOf(reads: readonly Read[], offset: number): Read {
  return reads.findLast(({ base }) => base <= offset) ?? (reads[0] as Read);
}

function countLines(text: string): LineCounter {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
  return lines;
}

/** Moves the places of a fragment behind those before it. Aliases share places, so each is moved once. */
function shift(place: Place, by: number, done: Set<Place>): void {
  if (done.has(place)) return;
  done.add(place);
  place.key += by;
  place.value += by;
  for (const child of place.children?.values() ?? []) shift(child, by, done);
}

function join(trees: readonly { value: unknown; place: Place }[], report: Report): { value: object; place: Place } {
  const value: Record<string, unknown> = {};
  const first = trees[0]?.place;
  const children = new Map<string | number, Place>();
  const place: Place = { key: first?.key ?? 0, value: first?.value ?? 0, children };
  for (const tree of trees) {
    // A file of comments only is a customer without settings.
    if (tree.value === undefined || tree.value === null) continue;
    if (!isRecord(tree.value)) {
      report.atOffset(tree.place.value, [], `expected a mapping, ${got(tree.value)}`);
      continue;
    }
    for (const [key, part] of Object.entries(tree.value)) {
      const from = tree.place.children?.get(key) as Place;
      const there = value[key];
      const to = children.get(key);
      if (to === undefined) {
        value[key] = part;
        children.set(key, from);
      } else if (JOINED.has(key) && isRecord(there) && isRecord(part)) {
        for (const [name, one] of Object.entries(part)) {
          const at = from.children?.get(name) as Place;
          if (Object.hasOwn(there, name)) twice(report, [key, name], at, to.children?.get(name));
          else {
            there[name] = one;
            to.children?.set(name, at);
          }
        }
      } else if (key === 'routes' && Array.isArray(there) && Array.isArray(part)) {
        part.forEach((one, i) => {
          to.children?.set(there.length, from.children?.get(i) as Place);
          there.push(one);
        });
      } else twice(report, [key], from, to);
    }
  }
  return { value, place };
}

function twice(report: Report, path: string[], here: Place, there: Place | undefined): void {
  const first = there === undefined ? '' : `, first in ${report.whereIs(there.key)}`;
  report.atOffset(here.key, path, `stands in two files${first}; keep one`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
