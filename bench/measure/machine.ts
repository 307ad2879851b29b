/** The machine that the bench runs on: pinning, networks of their own, helper processes, the TLS certificate. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stopProcess } from '../peers/peer.ts';

const folder = dirname(fileURLToPath(import.meta.url));

/** Command prefixes that put a process on a core; empty without `taskset` or a second core. */
export interface Pinning {
  proxy: string[];
  helpers: string[];
}

/** Proxy on core 0, load generator and upstream (and this process) on core 1, when the machine allows it. */
export function pin(): Pinning {
  const can = cpus().length > 1 && [0, 1].every((core) => spawnSync('taskset', ['-c', `${core}`, 'true']).status === 0);
  if (!can) return { proxy: [], helpers: [] };
  spawnSync('taskset', ['-cp', '1', `${process.pid}`]);
  return { proxy: ['taskset', '-c', '0'], helpers: ['taskset', '-c', '1'] };
}

/** A network namespace with nothing but its loopback. */
export interface Network {
  prefix: string[];
  remove(): void;
}

/** Makes one, or says why it cannot be. */
export function isolatedNetwork(): Network | string {
  const name = `gatehouse-bench-${process.pid}`;
  if (process.getuid?.() !== 0) return 'listens on every interface, and only root can give it a network of its own';
  const made = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' });
  if (made.error) return 'listens on every interface, and without the ip command it gets no network of its own';
  if (made.status !== 0)
    return `listens on every interface, and no network of its own could be made: ${made.stderr.trim()}`;
  const prefix = ['ip', 'netns', 'exec', name];
  spawnSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  const remove = () => {
    spawnSync('ip', ['netns', 'delete', name]);
    process.off('exit', remove);
  };
  process.once('exit', remove);
  return { prefix, remove };
}

/** A helper process that answers each order with one message. */
export class Helper<Order> {
  readonly #child: ChildProcess;

  /** Starts `bench/load/NAME`; `prefix` is put before the command. */
  constructor(name: 'load' | 'upstream' | 'endpoint', prefix: readonly string[]) {
    const file = join(folder, '..', 'load', `${name}.js`);
    const [command, ...args] = [...prefix, process.execPath, '--max-semi-space-size=32', file];
    this.#child = spawn(command!, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  /** Sends an order and waits for its answer. @throws Error when none comes in time. */
  ask<Reply>(order: Order, seconds = 20): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        this.#child.off('message', onMessage).off('exit', onExit);
      };
      const onMessage = (reply: unknown) => {
        settle();
        resolve(reply as Reply);
      };
      const onExit = () => {
        settle();
        reject(new Error('a helper process of the bench has ended'));
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Error(`a helper process of the bench has not answered within ${seconds} s`));
      }, seconds * 1000);
      this.#child.on('message', onMessage).on('exit', onExit);
      this.#child.send(order as object);
    });
  }

  /** Ends it. */
  stop(signal?: NodeJS.Signals): Promise<void> {
    return stopProcess(this.#child, signal);
  }
}

/** PEM files of a self-signed P-256 certificate for `localhost`. */
export interface Certificate {
  certificate: string;
  key: string;
  both: string;
  pem: string;
}

/** Makes a certificate with the openssl command; undefined when there is none. */
export function makeCertificate(into: string): Certificate | undefined {
  const certificate = `${into}/certificate.pem`;
  const key = `${into}/key.pem`;
  const { status } = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'],
    ...[
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost,DNS:gateway.bench',
      '-keyout',
      key,
      '-out',
      certificate,
    ],
  ]);
  if (status !== 0) return undefined;
  const pem = readFileSync(certificate, 'utf8');
  const both = `${into}/both.pem`;
  writeFileSync(both, pem + readFileSync(key, 'utf8'));
  return { certificate, key, both, pem };
}
