/** TLS on a listener: contexts by server name, the handshake by node:tls, and then a plain wire over its handle. */
import { X509Certificate } from 'node:crypto';
import { isIP, Socket } from 'node:net';
import { createSecureContext, createServer, type Server, type TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import type { NativeHandle } from '../socket/native.ts';
import type { ListenerConfig } from './config.ts';

/** What the TLS door hands on after a handshake. */
export interface SecureDoor {
  /** Takes a freshly accepted connection, and what has been read of it; returns the socket below TLS. */
  accept(handle: NativeHandle, early?: Buffer): Socket;
  /** Whether it was made of this configuration and these files, so that it need not be made again. */
  serves(
    config: NonNullable<ListenerConfig['tls']>,
    handshakeMs: number,
    readText: ReadText,
    alpn: readonly string[],
  ): boolean;
  /**
   * For a connection that was opened with this server name: whether requests for a host may come on it, because it is that
   * name or the certificate shown for it covers the host (RFC 9110 §15.5.20).
   */
  covers(serverName: string): (host: string) => boolean;
}

/** A connection that cannot serve yet. */
export interface Pending {
  destroy(): unknown;
}

/** The socket below TLS. */
export function parentOf(socket: TLSSocket): Socket {
  return (socket as unknown as { _parent: Socket })._parent;
}

/** Text of a file that the configuration names, read by the supervisor. */
export type ReadText = (path: string) => string;

/** Server names whose certificate is remembered: strangers choose the names, so there must be an end. */
const REMEMBERED = 10_000;

/**
 * Which of the certificates answers for a server name, as its index: the first that has exactly this name, else the first
 * with a wildcard that covers it (one label, RFC 9525 §6.3), else the first of all.
 */
export function certificateChooser(certificates: readonly X509Certificate[]): (name: string) => number {
  const known = new Map<string, number>();
  return (name) => {
    const found = known.get(name);
    if (found !== undefined) return found;
    const plain = name.toLowerCase().replace(/\.$/, '');
    let index = certificates.findIndex((one) => one.checkHost(plain, { wildcards: false }) !== undefined);
    if (index < 0) index = certificates.findIndex((one) => one.checkHost(plain) !== undefined);
    if (index < 0) index = 0;
    if (known.size < REMEMBERED) known.set(name, index);
    return index;
  };
}

/**
 * `pending` holds the sockets whose handshake is under way; `onSecure` gets the TLS socket after its handshake; `onFailed`
 * the reason of one that failed. Throws when a certificate or key cannot be used.
 */
export function secureDoor(
  config: NonNullable<ListenerConfig['tls']>,
  handshakeMs: number,
  readText: ReadText,
  alpn: readonly string[],
  pending: Set<Pending>,
  onSecure: (socket: TLSSocket) => void,
  onFailed: (message: string) => void,
): SecureDoor {
  const contexts = config.certificates.map(({ certificate, key }) => {
    const cert = readText(certificate);
    const options = { cert, key: readText(key), minVersion: config.minVersion, honorCipherOrder: true };
    return { options, context: createSecureContext(options), x509: new X509Certificate(cert) };
  });
  const choose = certificateChooser(contexts.map(({ x509 }) => x509));
  const first = contexts[0] as (typeof contexts)[number];
  const server: Server = createServer({
    ...first.options,
    handshakeTimeout: handshakeMs,
    ALPNProtocols: [...alpn],
    SNICallback: (name, done) => done(null, (contexts[choose(name)] ?? first).context),
  });
  const material = materialOf(config, handshakeMs, readText, alpn);
  server.on('secureConnection', (socket) => {
    pending.delete(parentOf(socket));
    onSecure(socket);
  });
  server.on('tlsClientError', (error, socket) => {
    onFailed(error.message);
    socket.destroy();
  });
  return {
    accept(handle, early) {
      const socket = new Socket({ handle } as unknown as ConstructorParameters<typeof Socket>[0]);
      pending.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => pending.delete(socket));
      if (early !== undefined && early.length > 0) socket.unshift(early);
      server.emit('connection', socket);
      return socket;
    },
    serves: (next, ms, read, protocols) => isDeepStrictEqual(materialOf(next, ms, read, protocols), material),
    covers(serverName) {
      const name = serverName.toLowerCase();
      const { x509 } = contexts[choose(name)] ?? first;
      return (host) => host === name || (isIP(host) === 0 ? x509.checkHost(host) : x509.checkIP(host)) !== undefined;
    },
  };
}

/** All that a door is made of. */
function materialOf(
  config: NonNullable<ListenerConfig['tls']>,
  handshakeMs: number,
  readText: ReadText,
  alpn: readonly string[],
): unknown {
  const texts = config.certificates.map(({ certificate, key }) => [readText(certificate), readText(key)]);
  return { minVersion: config.minVersion, handshakeMs, texts, alpn };
}
