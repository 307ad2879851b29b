#!/usr/bin/env node
/** The command line. Each command lives in the file of its name; this one lists them. */
import { Command } from 'commander';
import { checkCommand } from './check.ts';
import { schemaCommand } from './schema.ts';

const commands: (() => Command)[] = [
  checkCommand,
  schemaCommand,
  // One line for each command.
];

const program = new Command('gatehouse').description('The front door for AI.').version('0.1.0').showHelpAfterError();
for (const command of commands) program.addCommand(command());
await program.parseAsync();
