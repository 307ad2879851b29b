/** TLS on a listener: contexts by server name, the handshake by node:tls, and then a plain wire over its handle. */
import { X509Certificate } from 'node:crypto';
import { Socket } from 'node:net';
import { createSecureContext, createServer, type SecureContext, type Server, type TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import type { NativeHandle } from '../socket/native.ts';
import type { ListenerConfig } from './config.ts';

/** What the TLS door hands on after a handshake. */
export interface SecureDoor {
  /** Takes a freshly accepted connection. */
  accept(handle: NativeHandle): void;
  /** Whether it was made of this configuration and these files, so that it need not be made again. */
  serves(config: NonNullable<ListenerConfig['tls']>, handshakeMs: number, readText: ReadText): boolean;
}

/** Text of a file that the configuration names, read by the supervisor. */
export type ReadText = (path: string) => string;

/**
 * `pending` holds the sockets whose handshake is under way; `onSecure` gets the TLS socket after its handshake; `onFailed` the reason of one that failed. Throws when a certificate
 * or key cannot be used.
 */
export function secureDoor(
  config: NonNullable<ListenerConfig['tls']>,
  handshakeMs: number,
  readText: ReadText,
  pending: Set<Socket>,
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
  const material = materialOf(config, handshakeMs, readText);
  server.on('secureConnection', (socket) => {
    pending.delete((socket as unknown as { _parent: Socket })._parent);
    onSecure(socket);
  });
  server.on('tlsClientError', (error, socket) => {
    onFailed(error.message);
    socket.destroy();
  });
  return {
    accept(handle) {
      const socket = new Socket({ handle } as unknown as ConstructorParameters<typeof Socket>[0]);
      pending.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => pending.delete(socket));
      server.emit('connection', socket);
    },
    serves: (next, ms, read) => isDeepStrictEqual(materialOf(next, ms, read), material),
  };
}

/** All that a door is made of. */
function materialOf(config: NonNullable<ListenerConfig['tls']>, handshakeMs: number, readText: ReadText): unknown {
  const texts = config.certificates.map(({ certificate, key }) => [readText(certificate), readText(key)]);
  return { minVersion: config.minVersion, handshakeMs, texts };
}
