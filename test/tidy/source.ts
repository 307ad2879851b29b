/** A source file as the tidy rules see it: text, syntax tree, comments and imports. */
import { posix } from 'node:path';
import { type Comment, parseSync } from 'oxc-parser';

/** A node of the syntax tree (ESTree with TypeScript's additions). */
export interface Node {
  type: string;
  start: number;
  end: number;
  [key: string]: unknown;
}

/** One import or re-export. */
export interface Import {
  specifier: string;
  /** Path of the imported file from the repository's top for relative imports, else undefined. */
  target: string | undefined;
  line: number;
}

/** What a rule found wrong. */
export interface Finding {
  path: string;
  line: number;
  rule: string;
  /** What is wrong and what to do instead. */
  advice: string;
}

/** A parsed source file. */
export interface Source {
  /** Path from the repository's top, with forward slashes. */
  path: string;
  text: string;
  program: Node;
  comments: Comment[];
  imports: Import[];
  /** Line (from 1) of an offset. */
  lineOf(offset: number): number;
}

/** True for a test (`NAME.test.ts`) and for the processes that it starts (`NAME.test.worker.ts`). */
export const isTest = (path: string): boolean => /\.test\.([a-z]+\.)?ts$/.test(path);

/** Parses one file. Throws with file and line when the text is not TypeScript. */
export function parseSource(path: string, text: string): Source {
  const { program, comments, errors } = parseSync(path, text, { lang: 'ts', sourceType: 'module' });
  const lineOf = (offset: number): number => {
    let line = 1;
    for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line++;
    return line;
  };
  const [error] = errors;
  if (error) throw new SyntaxError(`${path}:${lineOf(error.labels[0]?.start ?? 0)}: ${error.message}`);
  const source: Source = { path, text, program: program as unknown as Node, comments, imports: [], lineOf };
  walk(source.program, (node) => {
    const from = importedFrom(node);
    if (from === undefined) return;
    const relative = from.startsWith('.');
    source.imports.push({
      specifier: from,
      target: relative ? posix.join(posix.dirname(path), from) : undefined,
      line: lineOf(node.start),
    });
  });
  return source;
}

function importedFrom(node: Node): string | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'ExportNamedDeclaration':
    case 'ImportExpression':
    case 'TSImportType': {
      const from = node.source as { value?: unknown } | null | undefined;
      return typeof from?.value === 'string' ? from.value : undefined;
    }
    default:
      return undefined;
  }
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

/** Visits every node, parents before children. */
export function walk(node: Node, visit: (node: Node, parent: Node | undefined) => void, parent?: Node): void {
  visit(node, parent);
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) walk(item, visit, node);
    } else if (isNode(value)) {
      walk(value, visit, node);
    }
  }
}
