/** Finds the files that tidy looks at, and runs every rule over them. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkBanned } from './banned.ts';
import { checkCycles, checkRooms } from './rooms.ts';
import { type Finding, parseSource, type Source } from './source.ts';
import { checkStyle, checkText } from './style.ts';

/** Every rule over sources held in memory: path → text. */
export function tidyTexts(texts: ReadonlyMap<string, string>): Finding[] {
  const findings: Finding[] = [];
  const sources: Source[] = [];
  for (const [path, text] of texts) {
    if (path.endsWith('.ts')) sources.push(parseSource(path, text));
    else findings.push(...checkText(path, text));
  }
  for (const source of sources) {
    findings.push(...checkRooms(source), ...checkBanned(source), ...checkStyle(source));
  }
  findings.push(...checkCycles(sources));
  return findings.sort((a, b) => (a.path === b.path ? a.line - b.line : a.path < b.path ? -1 : 1));
}

/** Every rule over a working tree: what git tracks, and new files that it does not ignore. */
export function tidyTree(top: string): { files: number; findings: Finding[] } {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: top });
  const texts = new Map<string, string>();
  for (const path of listed.toString().split('\0')) {
    const code = /^(src|test|bench)\/.*\.ts$/.test(path);
    const prose = /\.(md|ya?ml|sh)$/.test(path) || /^(package|biome|knip|tsconfig)\.json$/.test(path);
    if ((code || prose) && existsSync(join(top, path))) texts.set(path, readFileSync(join(top, path), 'utf8'));
  }
  return { files: texts.size, findings: tidyTexts(texts) };
}

/** One finding as `file:line: rule: what to do`. */
export const showFinding = ({ path, line, rule, advice }: Finding): string => `${path}:${line}: ${rule}: ${advice}`;
