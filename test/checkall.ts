/** Runs `gatehouse check -c FILE` for each FILE of its arguments in this one process; prints what each said that is wrong, as JSON. */
import { checkCommand } from '../src/cli/check.ts';

const said: Record<string, string> = {};
const write = process.stdout.write;
for (const file of process.argv.slice(2)) {
  let text = '';
  process.stdout.write = (some: string | Uint8Array) => {
    text += String(some);
    return true;
  };
  process.exitCode = 0;
  await checkCommand().parseAsync(['-c', file], { from: 'user' });
  process.stdout.write = write;
  said[file] = Number(process.exitCode) === 0 ? '' : text || `exit ${process.exitCode}`;
}
process.exitCode = 0;
process.stdout.write(JSON.stringify(said));
