/** House style that matters: doc comments, file sizes, no `any`, no promises to do it later, no machine paths, no barrels. */
import { type Finding, isTest, type Node, type Source, walk } from './source.ts';

const LINES_MAX = 300;

/** Files that may be longer: path → reason. */
const LONG_FILES: Readonly<Record<string, string>> = {};

/** Built from pieces so that the checker does not find itself. */
const LATER = new RegExp(
  `\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b|\\bfor ${'now'}\\b`,
);
const MACHINE_PATH = new RegExp(`(?<![\\w.~/-])/(${['work', 'tmp', 'root'].join('|')})/[\\w.-]`);

/** Style of one parsed file. */
export function checkStyle(source: Source): Finding[] {
  const findings = checkText(source.path, source.text);
  const add = (offset: number, rule: string, advice: string) =>
    findings.push({ path: source.path, line: source.lineOf(offset), rule, advice });

  const lines = source.text.split('\n').length - 1;
  if (lines > LINES_MAX && !(source.path in LONG_FILES)) {
    const advice = `${lines} lines, more than ${LINES_MAX}: split it by subject, one thing to a file`;
    findings.push({ path: source.path, line: LINES_MAX, rule: 'length', advice });
  }
  for (const comment of source.comments) {
    const later = LATER.exec(comment.value);
    if (later)
      add(comment.start + 2 + later.index, 'later', `"${later[0]}": do it, or leave it out and say so in an issue`);
  }
  walk(source.program, (node) => {
    if (node.type === 'TSAnyKeyword')
      add(node.start, 'any', '`any` switches the checker off: write the type, or `unknown`');
  });

  const body = source.program.body as Node[];
  const reExports = body.filter((node) => node.type.startsWith('Export') && node.source);
  if (body.length > 0 && reExports.length === body.length)
    add(0, 'barrel', 'this file only re-exports: import from the files themselves and remove it');
  if (!isTest(source.path)) for (const node of body) checkDoc(source, node, add);
  return findings;
}

/** What every text file must keep to, documents included. */
export function checkText(path: string, text: string): Finding[] {
  const findings: Finding[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const found = MACHINE_PATH.exec(line);
    if (found) {
      const advice = `"${found[0]}…" is a path of one machine: write a relative path, or use os.tmpdir() or a placeholder`;
      findings.push({ path, line: index + 1, rule: 'path', advice });
    }
  }
  return findings;
}

function checkDoc(source: Source, node: Node, add: (offset: number, rule: string, advice: string) => void): void {
  if (node.type !== 'ExportNamedDeclaration' && node.type !== 'ExportDefaultDeclaration') return;
  if (node.source || (node.type === 'ExportNamedDeclaration' && !node.declaration)) return;
  const doc = source.comments.findLast((comment) => comment.end <= node.start && comment.value.startsWith('*'));
  const between = doc ? source.text.slice(doc.end, node.start) : 'none';
  // Lines for tools (`// biome-ignore …`) may stand between the comment and what it tells about.
  if (/^(\s|\/\/[^\n]*\n)*$/.test(between)) return;
  const declaration = node.declaration as Node;
  const named = (declaration.id ?? (declaration.declarations as Node[] | undefined)?.[0]?.id) as Node | undefined;
  const name = named?.name ?? 'default';
  add(node.start, 'doc', `export ${name} has no doc comment: say what goes in and out, units, errors and the source`);
}
