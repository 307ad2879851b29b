/** Starts the real engine (server.ts) as a child process with a model written for the occasion. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeBigramModel } from './bigram.ts';

/** A running engine. */
export interface Engine {
  /** Base address, such as `http://127.0.0.1:41234`; the API is under `/v1`. */
  url: string;
  /** Name of the one model it serves. */
  model: string;
  /** What it has done so far: requests under way, completed, and cut off by their client. */
  seen(): Promise<{ running: number; completed: number; cancelled: number }>;
  /** Stops the process and removes the model file. */
  close(): Promise<void>;
}

/** Starts an engine on a free port; resolves when the model is loaded. Rejects with the child's words if it cannot. */
export async function startEngine(): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-engine-'));
  const file = join(folder, 'bigram.gguf');
  writeFileSync(file, writeBigramModel());
  const child = spawn(process.execPath, [join(import.meta.dirname, 'server.js'), file]);
  try {
    const url = `http://127.0.0.1:${await readPort(child)}`;
    return {
      url,
      model: 'bigram',
      seen: async () => (await (await fetch(`${url}/health`)).json()) as Awaited<ReturnType<Engine['seen']>>,
      async close() {
        await stop(child);
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await stop(child);
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function readPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = '';
    const listen = (part: Buffer) => {
      said += part;
      const ready = /^ready (\d+)$/m.exec(said);
      if (ready) resolve(Number(ready[1]));
    };
    child.stdout?.on('data', listen);
    child.stderr?.on('data', listen);
    child.once('exit', (code, signal) => reject(new Error(`the engine ended (${code ?? signal}):\n${said}`)));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
