/**
 * Sockets that another process has bound for us: the program that we take over from, or systemd (socket activation,
 * sd_listen_fds(3)). Whoever started us handed them down as file descriptors.
 */
import { rmSync } from 'node:fs';
import net from 'node:net';
import type { Bound } from './bind.ts';

/** A socket that was handed down. */
export interface Inherited {
  fd: number;
  /** What it was bound for: a listener's name, or the key under which `Listeners` keeps it. */
  name: string;
  /** Where it is, when whoever handed it down has said so. */
  address?: string;
}

/** Variable in which one program tells the next about its sockets, as JSON. */
export const HANDOVER = 'GATEHOUSE_HANDOVER';
/** First descriptor that systemd hands down. */
const FIRST_FD = 3;

interface RawHandle {
  getsockname?(out: { address?: string; port?: number }): number;
  close(): void;
}
type CreateHandle = (address: null, port: null, type: null, fd: number, flags: number) => RawHandle | number;
const createHandle = (net as unknown as { _createServerHandle: CreateHandle })._createServerHandle;

/**
 * What the environment says was handed down. `pid`: of this process. Throws an `Error` when it says something that
 * cannot be meant.
 */
export function inheritedFrom(env: Readonly<Record<string, string | undefined>>, pid: number): Inherited[] {
  const handover = env[HANDOVER];
  if (handover !== undefined) return JSON.parse(handover) as Inherited[];
  // They may be meant for another process of which we are a child.
  if (env.LISTEN_FDS === undefined || (env.LISTEN_PID !== undefined && Number(env.LISTEN_PID) !== pid)) return [];
  const count = Number(env.LISTEN_FDS);
  if (!Number.isInteger(count) || count < 0 || count > 4096) {
    throw new Error(`LISTEN_FDS=${env.LISTEN_FDS}: expected the number of sockets that were handed down`);
  }
  const names = env.LISTEN_FDNAMES?.split(':') ?? [];
  return Array.from({ length: count }, (_, i) => ({ fd: FIRST_FD + i, name: names[i] ?? '' }));
}

/** Takes a socket over. Throws an `Error` when the descriptor is no listening socket. `asked`: the address it is for. */
export function adopt({ fd, address }: Inherited, asked: string): Bound {
  const handle = createHandle(null, null, null, fd, 0);
  if (typeof handle === 'number') throw new Error(`file descriptor ${fd} that was handed down is no socket`);
  const close = () => {
    handle.close();
    // Bound by us, in another process: the file goes with its socket, as it would have there. systemd's stays.
    if (address?.startsWith('unix:')) rmSync(address.slice(5), { force: true });
  };
  return { handle, address: address ?? addressOf(handle) ?? asked, close };
}

/** Where an IP socket is bound. */
function addressOf(handle: RawHandle): string | undefined {
  const found: { address?: string; port?: number } = {};
  if (!handle.getsockname || handle.getsockname(found) || found.address === undefined) return undefined;
  return `${net.isIPv6(found.address) ? `[${found.address}]` : found.address}:${found.port}`;
}

/** Descriptor of a bound socket, to hand it down. */
export function descriptorOf(handle: object): number {
  return (handle as { fd: number }).fd;
}
