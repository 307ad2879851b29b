/** `gatehouse demo`: a simulated model server, the gateway in front of it, the admin port; nothing else needed. */
import { styleText } from 'node:util';
import { Command, InvalidArgumentError } from 'commander';
import type { Loaded, NotLoaded } from '../config/config.ts';
import { formatProblem, loadConfig } from '../config/config.ts';
import { systemClock } from '../kernel/clock.ts';
import { createOpLog } from '../observe/observe.ts';
import { startSimulator } from '../simulate/simulate.ts';
import { startUnlessStopped, stopOnSignal } from './signals.ts';

interface Flags {
  port: string;
}

const MODEL = 'demo-model';
/** The simulator's pace: what a mid-sized model on one accelerator feels like. */
const PACE = { tokens: 48, rate: 60, ttftMs: 150 };
const DRAIN_MS = 2000;

/** The command. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('try it: a simulated model server, the gateway in front of it and the admin port, on free ports')
    .option('--port <number>', 'port of the gateway; 0 takes a free one', port, '0')
    .action(demo);
}

function port(text: string): string {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new InvalidArgumentError('Expected a port, a number from 0 to 65535.');
  }
  return text;
}

async function demo(flags: Flags): Promise<void> {
  const simulator = await startSimulator({ models: [MODEL], ...PACE });
  try {
    const load = (): Loaded | NotLoaded => {
      const text = demoConfig(simulator.url, flags.port);
      return loadConfig('demo.yaml', { readFile: () => Buffer.from(text), env: {} });
    };
    const loaded = load();
    if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('\n'));
    const human = process.stderr.isTTY === true;
    const write = (line: string) => process.stderr.write(line);
    const notice = createOpLog({
      clock: systemClock,
      write,
      format: human ? 'human' : 'json',
      color: human,
      level: 'warn',
    });
    const tell = (text: string) => write(`\ngatehouse demo: ${text}\n`);
    const gateway = await startUnlessStopped({ loaded, load, notice, drainMs: DRAIN_MS }, tell);
    if (!gateway) {
      await simulator.close();
      return;
    }
    stopOnSignal(gateway, tell, () => simulator.close());
    const url = gateway.urls.get('public') ?? '';
    process.stdout.write(welcome(url, gateway.adminUrl, simulator.url));
  } catch (error) {
    process.stderr.write(`gatehouse demo: not started: ${error instanceof Error ? error.message : error}\n`);
    await simulator.close();
    process.exitCode = 1;
  }
}

function demoConfig(simulator: string, port: string): string {
  return `listeners:
  public: { address: "127.0.0.1:${port}" }
admin: { address: 127.0.0.1:0 }
workers: 1
log: { access: "off" }
upstreams:
  simulator:
    protocol: openai
    endpoints: [{ url: "${simulator}" }]
    health: { path: /health, interval: 2s }
models:
  ${MODEL}:
    versions: [{ name: stable, upstream: simulator }]
routes:
  - name: inference
    match: { path: /v1/* }
    models: ["*"]
`;
}

/** What is printed: the ready line first and alone, for programs that wait for it. */
function welcome(url: string, admin: string, simulator: string): string {
  const color = process.stdout.isTTY === true;
  const style = (format: Parameters<typeof styleText>[0], text: string) => (color ? styleText(format, text) : text);
  const title = (text: string) => style('bold', text);
  const dim = (text: string) => style('dim', text);
  const body = (stream: boolean) =>
    `'{"model":"${MODEL}",${stream ? '"stream":true,' : ''}"messages":[{"role":"user","content":"Hello"}]}'`;
  const curl = (stream: boolean) =>
    `curl ${stream ? '-N ' : ''}${url}/v1/chat/completions -H 'content-type: application/json' -d ${body(stream)}`;
  return `gatehouse demo: ${style('green', 'ready')} gateway=${url} admin=${admin} simulator=${simulator}

${title('Ask the model')}
${curl(false)}

${title('Watch it stream')}
${curl(true)}

${title('From JavaScript')} ${dim('(npm install openai; save as ask.mjs, run with node)')}
import OpenAI from 'openai';
const client = new OpenAI({ baseURL: '${url}/v1', apiKey: 'none-needed-here' });
const stream = await client.chat.completions.create({
  model: '${MODEL}',
  messages: [{ role: 'user', content: 'Hello' }],
  stream: true,
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? '');

${title('From Python')} ${dim('(pip install openai)')}
from openai import OpenAI
client = OpenAI(base_url="${url}/v1", api_key="none-needed-here")
answer = client.chat.completions.create(model="${MODEL}", messages=[{"role": "user", "content": "Hello"}])
print(answer.choices[0].message.content)

${title('Then look at')}
  ${admin}/  ${dim('workers, listeners and upstreams at a glance')}
  ${admin}/metrics  ${dim('requests, latencies, tokens, for Prometheus')}
  ${url}/v1/models  ${dim('the models that clients may ask for')}

${title('Break the model server for the next three requests, then ask again')}
curl ${simulator}/simulate/fail -d '{"fail":["3x:status=503"]}'

${dim('Ctrl-C stops everything.')}
`;
}
