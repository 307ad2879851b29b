#!/usr/bin/env node
/** Where the process begins. */
import { makeProgram } from './program.ts';

// Who reads our output may have seen enough (`| head`): that is no failure, and nothing is left to be said.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

await makeProgram().parseAsync();
