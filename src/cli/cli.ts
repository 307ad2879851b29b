#!/usr/bin/env node
/** The command line. Each command lives in the file of its name; this one lists them. */
import { Command } from 'commander';
import { simulate } from './simulate.ts';

const commands: (() => Command)[] = [simulate];

const program = new Command('gatehouse').description('The front door for AI.').version('0.1.0').showHelpAfterError();
for (const command of commands) program.addCommand(command());
await program.parseAsync();
