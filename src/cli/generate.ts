/** Writes `docs/reference/cli.md` from the commands' own help: part of `npm run generate`. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { makeProgram } from './program.ts';

/** Where the page is, from the root of the repository. */
export const CLI_PAGE = 'docs/reference/cli.md';
/** Columns of the help on the page, whatever the terminal. */
const WIDTH = 110;

/** The page: the help of `gatehouse` and of each command, as `--help` prints it. */
export function cliReference(): string {
  const program = makeProgram();
  const sections = [
    '<!-- Made by `npm run generate`; changes here are lost. -->',
    '# Command line',
    '',
    'In an installed package as `npx gatehouse COMMAND`, in a clone as `node dist/src/cli/cli.js COMMAND`. An argument that is',
    'not understood ends any command with exit code 1 before it does anything.',
    '',
    ...fence(helpOf(program)),
  ];
  for (const command of program.commands) {
    sections.push('', `## ${command.name()}`, '', ...fence(helpOf(command)));
    for (const part of command.commands) {
      sections.push('', `### ${command.name()} ${part.name()}`, '', ...fence(helpOf(part)));
    }
  }
  return `${sections.join('\n')}\n`;
}

const fence = (text: string): string[] => ['```', text, '```'];

function helpOf(command: Command): string {
  let text = '';
  const writeOut = (part: string) => {
    text += part;
  };
  command.configureOutput({ writeOut, getOutHelpWidth: () => WIDTH, getOutHasColors: () => false });
  command.outputHelp();
  return text.trimEnd();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(CLI_PAGE, cliReference());
