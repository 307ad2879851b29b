/** TLS on a listener: contexts by server name, the handshake by node:tls, and then a plain wire over its handle. */
import { X509Certificate } from 'node:crypto';
import { Socket } from 'node:net';
import { createSecureContext, createServer, type SecureContext, type Server, type TLSSocket } from 'node:tls';
import type { NativeHandle } from '../socket/native.ts';
import type { ListenerConfig } from './config.ts';

/** What the TLS door hands on after a handshake. */
export interface SecureDoor {
  /** Takes a freshly accepted connection. */
  accept(handle: NativeHandle): void;
  close(): void;
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
  const byName = new Map<string, SecureContext>();
  const first = contexts[0] as (typeof contexts)[number];
  const choose = (name: string): SecureContext => {
    let context = byName.get(name);
    if (context === undefined) {
      context = (contexts.find(({ x509 }) => x509.checkHost(name) !== undefined) ?? first).context;
      if (byName.size < 10_000) byName.set(name, context);
    }
    return context;
  };
  const server: Server = createServer({
    ...first.options,
    handshakeTimeout: handshakeMs,
    ALPNProtocols: ['http/1.1'],
    SNICallback: (name, done) => done(null, choose(name.toLowerCase())),
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
    close() {
      server.removeAllListeners();
    },
  };
}
