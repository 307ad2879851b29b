/** Listening addresses: what they mean, and when two cannot both be had. */

/** An address taken apart. */
export interface Address {
  /** Socket path, for `unix:`. */
  unix?: string;
  /** Host in lower case without brackets; empty for every address. */
  host: string;
  port: number;
  /** Why it cannot be listened on, where the schema let it pass. */
  problem?: string;
}

/** The kernel's limit for a socket path, its final NUL excluded (unix(7): sun_path has 108 bytes). */
const MAX_SOCKET_PATH_BYTES = 107;

/** Takes `HOST:PORT`, `[IPV6]:PORT` or `unix:/path` apart. */
export function parseAddress(text: string): Address {
  if (text.startsWith('unix:')) {
    const unix = text.slice('unix:'.length);
    const address: Address = { unix, host: '', port: 0 };
    if (Buffer.byteLength(unix) > MAX_SOCKET_PATH_BYTES) {
      address.problem = `the socket path has ${Buffer.byteLength(unix)} bytes, at most ${MAX_SOCKET_PATH_BYTES} are possible; use a shorter one`;
    } else if (/\/\.{0,2}$/.test(unix)) {
      address.problem =
        'the socket path ends in a folder; add the name of the socket, such as unix:/run/gatehouse.sock';
    }
    return address;
  }
  const colon = text.lastIndexOf(':');
  const host = text
    .slice(0, colon)
    .replace(/^\[|\]$/g, '')
    .toLowerCase();
  const every = host === '*' || host === '0.0.0.0' || host === '::';
  return { host: every ? '' : host, port: Number(text.slice(colon + 1)) };
}

/** Whether only one of two sockets could listen. Port 0 takes a free port, so it is never in the way. */
export function overlap(a: Address, b: Address): boolean {
  if (a.unix !== undefined || b.unix !== undefined) return a.unix === b.unix;
  if (a.port !== b.port || a.port === 0) return false;
  return a.host === b.host || a.host === '' || b.host === '';
}
