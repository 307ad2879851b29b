#!/usr/bin/env node
/** The command line. Each command lives in the file of its name; this one lists them. */
import { Command } from 'commander';
import { checkCommand } from './check.ts';
import { demoCommand } from './demo.ts';
import { schemaCommand } from './schema.ts';
import { serveCommand } from './serve.ts';
import { simulate } from './simulate.ts';
import { VERSION } from './version.ts';

const commands: (() => Command)[] = [
  serveCommand,
  demoCommand,
  checkCommand,
  schemaCommand,
  simulate,
  // One line for each command.
];

const program = new Command('gatehouse').description('The front door for AI.').version(VERSION).showHelpAfterError();
for (const command of commands) program.addCommand(command());
await program.parseAsync();
