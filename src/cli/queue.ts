/** `gatehouse queue`: who waits for a place at which servers. */
import { Command } from 'commander';
import { formatDuration } from '../kernel/limit.ts';
import { priorityName } from '../kernel/priority.ts';
import type { QueueStanding } from '../upstream/queue/queue.ts';
import { type AdminFlags, askAdmin, withAdmin } from './adminclient.ts';

const HELP = `
Exit codes:
  0  printed
  2  the admin port did not answer`;

/** `gatehouse queue`. */
export function queueCommand(): Command {
  const command = new Command('queue').description(
    'print who waits for a place at a server, and which limits hold there',
  );
  return withAdmin(command)
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(async (flags: AdminFlags & { json?: boolean }) => {
      try {
        const { value } = await askAdmin(flags, 'GET', '/api/queue');
        const text = flags.json ? JSON.stringify(value) : printed((value as { queues: QueueStanding[] }).queues);
        process.stdout.write(`${text}\n`);
      } catch (error) {
        process.stderr.write(`gatehouse queue: ${(error as Error).message}\n`);
        process.exitCode = 2;
      }
    });
}

/** For people: each upstream, its classes and its endpoints. */
function printed(queues: readonly QueueStanding[]): string {
  if (queues.length === 0) return 'no upstream has a queue: set maxConcurrency of an endpoint, or adaptive';
  const lines: string[] = [];
  for (const { upstream, waiting, length, estimatedWaitMs, classes, endpoints } of queues) {
    const wait = waiting > 0 ? `, about ${formatDuration(estimatedWaitMs)} for who comes last` : '';
    lines.push(`${upstream}: ${waiting} of ${length} waiting${wait}`);
    for (const { priority, waiting: count, tenants, oldestMs } of classes) {
      const name = priorityName(priority);
      lines.push(`  ${name}: ${count} waiting, ${tenants} tenants, the oldest for ${formatDuration(oldestMs)}`);
    }
    for (const { name, limit, used, adaptive } of endpoints) {
      const found =
        adaptive === undefined
          ? ''
          : `, found: gradient ${adaptive.gradient.toFixed(2)}, first token ${Math.round(adaptive.rttMs)} ms, at rest ${Math.round(adaptive.minRttMs)} ms${adaptive.probing ? ', probing' : ''}`;
      lines.push(`  ${name}: ${used} of ${limit} places in use${found}`);
    }
  }
  return lines.join('\n');
}
