/** `gatehouse simulate`: a stand-in model server. */
import { Command, InvalidArgumentError } from 'commander';
import { FAULTS, startSimulator } from '../simulate/simulate.ts';
import { refuseCode } from '../supervisor/supervisor.ts';

interface Flags {
  listen: string;
  model?: string[];
  tokens: number;
  rate: number;
  ttft: number;
  fail?: string[];
  seed: number;
  maxConcurrency?: number;
  listFaults?: boolean;
}

function number(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text))
    throw new InvalidArgumentError('Expected a number that is not negative, such as 50.');
  return Number(text);
}

function whole(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Expected a whole number, such as 50.');
  return Number(text);
}

function positive(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 1, such as 50.');
  return Number(text);
}

const more = (text: string, before: string[] = []): string[] => [...before, text];

/** The command. */
export function simulate(): Command {
  return new Command('simulate')
    .description('run a stand-in model server: OpenAI and Anthropic APIs, a set pace, faults on demand')
    .option('--listen <host:port>', 'address to listen on, or unix:PATH; port 0 chooses a free one', '127.0.0.1:0')
    .option('--model <name>', 'a model to serve, repeatable; without it any name is served', more)
    .option('--tokens <n>', 'tokens of an answer', whole, 64)
    .option('--rate <tokens/s>', 'tokens a second; 0 is as fast as possible', number, 0)
    .option('--ttft <ms>', 'milliseconds to the first token', number, 0)
    .option(
      '--fail <fault>',
      'a fault for all (status=503), a share (10%:status=503) or the next few (3x:…), repeatable',
      more,
    )
    .option('--seed <n>', 'seed of the words and the dice', whole, 1)
    .option('--max-concurrency <n>', 'answers under way at once; more wait in a queue', positive)
    .option('--list-faults', 'print the table of faults and end')
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  if (flags.listFaults) {
    for (const { name, value, verdict, doc } of FAULTS.values()) {
      process.stdout.write(`${(value ? `${name}=${value}` : name).padEnd(38)}${verdict.padEnd(10)}${doc}\n`);
    }
    return;
  }
  const path = flags.listen.startsWith('unix:') ? flags.listen.slice('unix:'.length) : '';
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(flags.listen);
  if (path === '' && (!match || Number(match[3]) > 65_535)) {
    process.stderr.write(
      `gatehouse simulate: --listen ${flags.listen}: expected HOST:PORT or unix:PATH, such as 127.0.0.1:8000\n`,
    );
    process.exitCode = 1;
    return;
  }
  try {
    const simulator = await startSimulator({
      host: match?.[1] || match?.[2] || '0.0.0.0',
      port: Number(match?.[3] ?? 0),
      ...(path === '' ? {} : { socketPath: path }),
      models: flags.model ?? [],
      tokens: flags.tokens,
      rate: flags.rate,
      ttftMs: flags.ttft,
      fail: flags.fail ?? [],
      seed: flags.seed,
      ...(flags.maxConcurrency === undefined ? {} : { maxConcurrency: flags.maxConcurrency }),
    });
    process.stdout.write(`gatehouse simulate: ready on ${simulator.url}\n`);
    const stop = (): void => void simulator.close().then(() => process.exit(0));
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException;
    const told =
      code === undefined || syscall === undefined ? message : refuseCode(code, flags.listen, '--listen').message;
    process.stderr.write(`gatehouse simulate: ${told}\n`);
    process.exitCode = 1;
  }
}
