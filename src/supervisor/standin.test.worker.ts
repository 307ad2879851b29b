/**
 * A worker without a data plane, for the tests of the supervisor: answers each connection with `PID GENERATION\n` as
 * soon as it has read a byte, and does what `config.standin` says.
 */
import { writeSync } from 'node:fs';
import net from 'node:net';
import { systemClock } from '../kernel/clock.ts';
import type { LinkOptions } from './link.ts';
import { linkToSupervisor } from './link.ts';

/** How the stand-in behaves. */
export interface Standin {
  refuse?: string;
  crash?: boolean;
  /** Log this text at the start. */
  say?: string;
  /** Block the event loop once everything is up. */
  stuck?: boolean;
  /** Never end a connection by itself. */
  hold?: boolean;
  /** Follow this topic of [key, value] pairs, and ask this service. */
  topic?: string;
  service?: string;
}

let generation = 0;
let standin: Standin = {};
const servers = new Map<string, net.Server>();
const sockets = new Set<net.Socket>();

process.on('SIGTERM', () => link.leave('SIGTERM', 2000));
const link = linkToSupervisor({
  port: process as LinkOptions['port'],
  clock: systemClock,
  exit: (code) => process.exit(code),
  reportEvery: 50,
  orphanDeadline: 500,
  handlers: {
    update(snapshot, health) {
      if (health.length > 0) writeSync(3, `health ${JSON.stringify(health)}\n`);
      const next = (snapshot.config as { standin?: Standin }).standin ?? {};
      if (next.crash) process.exit(7);
      if (next.refuse) throw new Error(next.refuse);
      standin = next;
      generation = snapshot.generation;
      if (standin.say) writeSync(3, standin.say);
    },
    async listen(listener, handle, address) {
      if (standin.topic) writeSync(3, `listens knowing ${known.size}\n`);
      if (standin.service) void askTwice(standin.service);
      const server = net.createServer((socket) => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
        socket.on('error', () => {});
        socket.once('data', () => {
          const text = `${process.pid} ${generation}\n`;
          if (standin.hold) socket.write(text);
          else socket.end(text);
        });
      });
      await new Promise<void>((resolve, reject) => server.on('error', reject).listen(handle, resolve));
      servers.set(`${listener} ${address}`, server);
      if (standin.stuck) setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0), 20);
    },
    unlisten(listener, address) {
      servers.get(`${listener} ${address}`)?.close();
      servers.delete(`${listener} ${address}`);
    },
    endpointHealth: (changes) => writeSync(3, `health ${JSON.stringify(changes)}\n`),
    async drain(deadlineMs) {
      for (const server of servers.values()) server.close();
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, deadlineMs);
      while (sockets.size > 0) await new Promise((done) => setTimeout(done, 5));
      clearTimeout(cut);
    },
    metrics: () => ({ generation, open: sockets.size }),
  },
});

const known = new Map<string, number>();
link.follow('numbers', {
  load(page, first) {
    if (first) known.clear();
    for (const [key, value] of (page ?? []) as [string, number][]) known.set(key, value);
  },
  change(payload) {
    const [key, value] = payload as [string, number];
    known.set(key, value);
    writeSync(3, `knows ${known.size}\n`);
  },
});

async function askTwice(service: string): Promise<void> {
  const reasonOf = (error: Error) => error.message;
  const answers = await Promise.all([link.ask(service, 21, 60_000), link.ask(service, 13, 60_000).catch(reasonOf)]);
  writeSync(3, `${service}: ${answers.join(', ')}\n`);
}
