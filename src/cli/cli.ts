#!/usr/bin/env node
/** Where the process begins. */
import { makeProgram } from './program.ts';

let told = false;
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  // Who reads our output may have seen enough (`| head`): that is no failure, and nothing is left to be said.
  if (code === 'EPIPE') return;
  process.exitCode = 1;
  if (!told) process.stderr.write(`gatehouse: standard output cannot be written: ${message}\n`);
  told = true;
});

await makeProgram().parseAsync();
