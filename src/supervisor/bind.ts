/**
 * Binds an address once, in the supervisor. The handle is bound but not listening here; each worker gets a copy and
 * listens on it. All copies are one kernel socket, so connections queue there while a worker is being replaced, and
 * none is refused. This is what `node:cluster` does (lib/internal/cluster/shared_handle.js), less its habit of closing
 * the socket with the last worker.
 */
import { lookup } from 'node:dns/promises';
import { chmodSync, existsSync, lstatSync, unlinkSync } from 'node:fs';
import net from 'node:net';
import { dirname } from 'node:path';
import { getSystemErrorName } from 'node:util';

/** A bound socket. */
export interface Bound {
  /** What travels to the workers; `net.Server.listen(handle)` takes it. */
  readonly handle: object;
  /** Where it is: `127.0.0.1:41234`, `[::]:8080` or `unix:/path`, with the port that was chosen for port 0. */
  readonly address: string;
  /** Closes our copy (and removes a unix socket's file). */
  close(): void;
}

/** An address that could not be bound; the message says which, why, and what to do. */
export class BindError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

interface RawHandle {
  getsockname?(out: { address?: string; port?: number; family?: string }): number;
  close(): void;
}
type CreateHandle = (
  address: string,
  port: number,
  type: number | null,
  fd: number,
  flags: number,
) => RawHandle | number;

/** Not in the documentation, but exported since Node 0.5 and used by every cluster. */
const createHandle = (net as unknown as { _createServerHandle: CreateHandle })._createServerHandle;

/**
 * Binds `address` (`HOST:PORT`, `:PORT`, `*:PORT`, `[IPV6]:PORT` or `unix:/path`). `setting` is the path of the setting
 * that asked for it, for the error message. `mode`: permissions of a unix socket's file. Throws `BindError`.
 */
export async function bind(address: string, setting: string, mode = 0o660): Promise<Bound> {
  if (address.startsWith('unix:')) return bindUnix(address.slice(5), setting, mode);
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  const port = Number(address.slice(colon + 1));
  if (port > 65_535) throw new BindError('EINVAL', `${setting}: port ${port} does not exist; the highest is 65535`);
  if (host !== '' && host !== '*') return bindIp(await resolve(host, address, setting), port, address, setting);
  try {
    return bindIp('::', port, address, setting);
  } catch (error) {
    // A machine without IPv6.
    if (!(error instanceof BindError) || !['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL'].includes(error.code)) throw error;
    return bindIp('0.0.0.0', port, address, setting);
  }
}

async function resolve(host: string, address: string, setting: string): Promise<string> {
  if (net.isIP(host)) return host;
  try {
    return (await lookup(host)).address;
  } catch {
    const what = `${setting}: cannot listen on ${address}: the name ${host} has no address`;
    throw new BindError('ENOTFOUND', `${what}; write an IP address of this machine, or 0.0.0.0 for all`);
  }
}

function bindIp(host: string, port: number, address: string, setting: string): Bound {
  const handle = createHandle(host, port, net.isIPv6(host) ? 6 : 4, -1, 0);
  if (typeof handle === 'number') throw refuse(handle, address, setting);
  const name: { address?: string; port?: number } = {};
  const error = handle.getsockname?.(name) ?? 0;
  if (error) {
    // libuv holds EADDRINUSE back until the first use of the socket.
    handle.close();
    throw refuse(error, address, setting);
  }
  const shown = net.isIPv6(name.address ?? '') ? `[${name.address}]` : name.address;
  return { handle, address: `${shown}:${name.port}`, close: () => handle.close() };
}

async function bindUnix(path: string, setting: string, mode: number): Promise<Bound> {
  await removeStale(path, setting);
  const handle = createHandle(path, -1, -1, -1, 0);
  if (typeof handle === 'number') throw refuse(handle, `unix:${path}`, setting);
  try {
    chmodSync(path, mode);
  } catch (error) {
    handle.close();
    throw new BindError('EACCES', `${setting}: cannot set the permissions of ${path}: ${(error as Error).message}`);
  }
  return { handle, address: `unix:${path}`, close: () => handle.close() };
}

/** A socket file outlives a killed process; it is removed when nobody answers on it, and only if it is a socket. */
async function removeStale(path: string, setting: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) {
    throw new BindError(
      'EEXIST',
      `${setting}: ${path} exists and is not a socket; move it away or choose another path`,
    );
  }
  const answer = await new Promise<string>((done) => {
    const socket = net.connect(path, () => done('alive'));
    socket.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? ''));
    socket.on('close', () => done('alive'));
    socket.unref();
    socket.once('connect', () => socket.destroy());
  });
  if (answer === 'ECONNREFUSED') unlinkSync(path);
  else if (answer !== 'ENOENT') throw refuseCode('EADDRINUSE', `unix:${path}`, setting);
}

function refuse(errno: number, address: string, setting: string): BindError {
  return refuseCode(getSystemErrorName(errno), address, setting);
}

/** Why `address` cannot be listened on, and what to do about it; `code` is the system's, such as EADDRINUSE. */
export function refuseCode(code: string, address: string, setting: string): BindError {
  const what = `${setting}: cannot listen on ${address}`;
  // libuv says EACCES where the system says ENOENT (uv_pipe_bind).
  if (code === 'EACCES' && address.startsWith('unix:') && !existsSync(dirname(address.slice(5)))) {
    return refuseCode('ENOENT', address, setting);
  }
  switch (code) {
    case 'EADDRINUSE':
      return new BindError(
        code,
        address.startsWith('unix:')
          ? `${what}: another process listens there; stop it (\`ss -lxp\` names it) or choose another path`
          : `${what}: another process listens there; stop it (\`ss -ltnp\` names it) or choose another port`,
      );
    case 'EACCES':
    case 'EPERM':
      return new BindError(
        code,
        `${what}: not permitted; choose a port from 1024 up (or a directory you may write to), or grant CAP_NET_BIND_SERVICE`,
      );
    case 'EADDRNOTAVAIL':
      return new BindError(
        code,
        `${what}: this machine has no such address; write 0.0.0.0 or one that \`ip addr\` shows`,
      );
    case 'ENOTFOUND':
      return new BindError(code, `${what}: that name has no address; write an IP address of this machine`);
    case 'ENOENT':
      return new BindError(code, `${what}: its directory does not exist; create it`);
    default:
      return new BindError(code, `${what}: ${code}`);
  }
}
