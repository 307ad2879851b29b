/** The socket of the admin port: its place in the file system, its descriptor, its URL. */
import { rm, stat } from 'node:fs/promises';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { ListenTarget } from './address.ts';

/** Descriptor of a listening server. Not in the documentation; what `child_process` and `cluster` use. */
export function descriptorOf(server: Server): number {
  return (server as unknown as { _handle?: { fd: number } })._handle?.fd ?? -1;
}

/** A socket file that nobody answers on is left over from a process that was killed; it would keep us from binding. */
export async function removeStaleSocket(path: string): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  if (!there?.isSocket()) return;
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (!alive) await rm(path, { force: true });
}

/** Where a server is reached: `http://HOST:PORT`, or `unix:/path`. */
export function urlOf(target: ListenTarget, bound: string | AddressInfo | null): string {
  if ('path' in target || bound === null || typeof bound === 'string') return `unix:${bound}`;
  const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return `http://${host}:${bound.port}`;
}
