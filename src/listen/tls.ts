/** TLS on a listener: contexts by server name, the handshake by node:tls, and then a plain wire over its handle. */
import { X509Certificate } from 'node:crypto';
import { isIP, Socket } from 'node:net';
import { createSecureContext, createServer, type Server, type TLSSocket } from 'node:tls';
import type { NativeHandle } from '../socket/native.ts';
import type { ListenerConfig } from './config.ts';

/** What the TLS door hands on after a handshake. */
export interface SecureDoor {
  /** Takes a freshly accepted connection. */
  accept(handle: NativeHandle): void;
  /**
   * For a connection that was opened with this server name: whether requests for a host may come on it, because it is that
   * name or the certificate shown for it covers the host (RFC 9110 §15.5.20).
   */
  covers(serverName: string): (host: string) => boolean;
}

/** Text of a file that the configuration names, read by the supervisor. */
export type ReadText = (path: string) => string;

/**
 * `onSecure` gets the TLS socket after its handshake; `onFailed` the reason of one that failed. Throws when a certificate
 * or key cannot be used.
 */
export function secureDoor(
  config: NonNullable<ListenerConfig['tls']>,
  handshakeMs: number,
  readText: ReadText,
  onSecure: (socket: TLSSocket) => void,
  onFailed: (message: string) => void,
): SecureDoor {
  const contexts = config.certificates.map(({ certificate, key }) => {
    const cert = readText(certificate);
    const options = { cert, key: readText(key), minVersion: config.minVersion, honorCipherOrder: true };
    return { options, context: createSecureContext(options), x509: new X509Certificate(cert) };
  });
  type Entry = (typeof contexts)[number];
  const byName = new Map<string, Entry>();
  const first = contexts[0] as Entry;
  const choose = (name: string): Entry => {
    let entry = byName.get(name);
    if (entry === undefined) {
      entry = contexts.find(({ x509 }) => x509.checkHost(name) !== undefined) ?? first;
      if (byName.size < 10_000) byName.set(name, entry);
    }
    return entry;
  };
  const server: Server = createServer({
    ...first.options,
    handshakeTimeout: handshakeMs,
    ALPNProtocols: ['http/1.1'],
    SNICallback: (name, done) => done(null, choose(name.toLowerCase()).context),
  });
  server.on('secureConnection', onSecure);
  server.on('tlsClientError', (error, socket) => {
    onFailed(error.message);
    socket.destroy();
  });
  return {
    accept(handle) {
      const socket = new Socket({ handle } as unknown as ConstructorParameters<typeof Socket>[0]);
      socket.on('error', () => socket.destroy());
      server.emit('connection', socket);
    },
    covers(serverName) {
      const name = serverName.toLowerCase();
      const { x509 } = choose(name);
      return (host) => host === name || (isIP(host) === 0 ? x509.checkHost(host) : x509.checkIP(host)) !== undefined;
    },
  };
}
