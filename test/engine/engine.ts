/** Starts the real engine (server.ts) as a child process with a model written for the occasion. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listenTo } from '../program.ts';
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
  const program = listenTo(child);
  const close = async () => {
    await program.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const url = `http://127.0.0.1:${(await program.waitFor(/^ready (\d+)$/m))[1]}`;
    const seen = async () => (await (await fetch(`${url}/health`)).json()) as Awaited<ReturnType<Engine['seen']>>;
    return { url, model: 'bigram', seen, close };
  } catch (error) {
    await close();
    throw error;
  }
}
