/** TLS on a listener: certificates by server name, the handshake by node:tls, and then a plain wire over its handle. */
import { createHash } from 'node:crypto';
import { isIP, Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { coversHost, plainName } from '../certificate/facts.ts';
import type { Clock } from '../kernel/clock.ts';
import type { TlsFacts } from '../kernel/identity.ts';
import { type NativeHandle, WriteRequest } from '../socket/native.ts';
import { answerChallenge, peekHello } from './challenge.ts';
import { judge, type Refusal, shownBy } from './clientcertificate.ts';
import { lookUp, NameTable } from './names.ts';
import { policyOptions } from './policy.ts';
import { type Entry, entryOf, type Ready, SecureContexts } from './secure.ts';
import type { TlsConfig } from './tlsconfig.ts';
import type { TlsShared } from './tlsshared.ts';

/** Takes connections and hands them on after their handshake. */
export interface SecureDoor {
  /** Takes a freshly accepted connection. */
  accept(handle: NativeHandle): void;
  /** Whether it was made of this configuration and these files, so that it need not be made again. */
  serves(config: TlsConfig, handshakeMs: number, readText: ReadText): boolean;
}

/** What TLS says about a connection. */
export interface Secured {
  readonly facts: TlsFacts;
  /**
   * Whether requests for a host may come on it: because the client asked for that name, or the certificate shown for it
   * covers the host (RFC 9110 §15.5.20). Undefined when the client named none.
   */
  readonly covers: ((host: string) => boolean) | undefined;
}

/** Text of a file that the configuration names, read by the supervisor. */
export type ReadText = (path: string) => string;

/** What a door needs. */
export interface DoorParts {
  /** Name of the listener. */
  readonly name: string;
  readonly config: TlsConfig;
  readonly handshakeMs: number;
  readonly readText: ReadText;
  readonly shared: TlsShared;
  readonly clock: Clock;
  /** Holds the sockets whose handshake is under way. */
  readonly pending: Set<Socket>;
  /** Gets the TLS socket after its handshake. */
  onSecure(socket: TLSSocket, secured: Secured): void;
  /** A handshake has failed; `fault` is its kind. */
  onFailed(fault: 'tls_handshake' | 'tls_unknown_name' | Refusal['fault'], reason: string): void;
}

/** The fatal alert unrecognized_name (RFC 6066 §3) in a record of its own, which node:tls cannot be asked to send. */
const UNRECOGNIZED_NAME = Buffer.of(21, 3, 3, 0, 2, 2, 112);

/** Makes a door. Throws when a certificate or key cannot be used. */
export function secureDoor(parts: DoorParts): SecureDoor {
  const { name, config, handshakeMs, readText, shared, clock, pending } = parts;
  const material = materialOf(config, handshakeMs, readText);
  const clients = config.clientCertificates;
  const common = {
    ...policyOptions(config),
    // A session may be resumed where it would have been made alike: at any worker, but not past another rule for clients.
    sessionIdContext: createHash('sha256')
      .update(JSON.stringify([name, material.clients]))
      .digest('hex')
      .slice(0, 32),
    ...(clients !== undefined && { ca: clients.ca === undefined ? [] : readText(clients.ca) }),
    ...(clients?.crl !== undefined && { crl: readText(clients.crl) }),
  };
  const own = new NameTable<Entry>();
  const contexts = new SecureContexts(common);
  const entries = config.certificates.map(({ certificate, key, ocsp }) => {
    const staple = ocsp === undefined ? undefined : Buffer.from(readText(ocsp), 'base64');
    const entry = entryOf({ certificate: readText(certificate), key: readText(key), ocsp: staple });
    contexts.of(entry);
    own.add(entry);
    return entry;
  });
  // Config first: a customer's certificate cannot take a name of the operator's.
  const tables = [own, shared.table(name), shared.table('')];
  const [first] = entries;
  const fallback = first === undefined || config.unknownName === 'refuse' ? undefined : kindsLike(first, entries);

  /** The context for a server name; undefined: none is for it. */
  const contextFor = (serverName: string): Ready | undefined => {
    const found = lookUp(tables, serverName) ?? fallback;
    return found && contexts.of(found);
  };

  const server: Server = createServer({
    ...common,
    ...(fallback && { cert: fallback.map(({ pair }) => pair.certificate), key: fallback.map(({ pair }) => pair.key) }),
    handshakeTimeout: handshakeMs,
    ALPNProtocols: ['http/1.1'],
    requestCert: clients !== undefined,
    // The rules decide, below: a fingerprint may vouch for what no authority does.
    rejectUnauthorized: false,
    SNICallback(this: unknown, serverName, done) {
      let ready: Ready | undefined;
      try {
        ready = contextFor(serverName);
      } catch (error) {
        done(error as Error);
        return;
      }
      if (ready !== undefined) {
        done(null, ready.context);
        return;
      }
      const socket = this as { _parent?: Socket & { _handle?: NativeHandle } };
      const alert = new WriteRequest();
      alert.oncomplete = () => {};
      socket._parent?._handle?.writeBuffer(alert, UNRECOGNIZED_NAME);
      parts.onFailed('tls_unknown_name', serverName);
      done(Object.assign(new Error('no certificate for this name'), { code: UNKNOWN_NAME }));
    },
  });
  shared.tickets.serve(server);
  server.on('OCSPRequest', (certificate: Buffer, _issuer: Buffer, done: (error: null, response?: Buffer) => void) => {
    done(null, contexts.stapleFor(certificate));
  });
  server.on('secureConnection', (socket) => {
    pending.delete((socket as unknown as { _parent: Socket })._parent);
    const { servername } = socket as TLSSocket & { servername?: string | false };
    const serverName = servername ? plainName(servername) : '';
    const certificate = clients && shownBy(socket);
    if (clients !== undefined) {
      const trouble = String(socket.authorizationError ?? '');
      const refusal = judge(clients, certificate, socket.authorized, trouble, clock.wall());
      if (refusal !== undefined) {
        parts.onFailed(refusal.fault, refusal.reason);
        socket.destroy();
        return;
      }
    }
    const facts: TlsFacts = { serverName, version: socket.getProtocol() ?? '', certificate };
    parts.onSecure(socket, { facts, covers: serverName === '' ? undefined : coversOf(serverName, contextFor) });
  });
  server.on('tlsClientError', (error: Error & { code?: string }, socket) => {
    if (error.code !== UNKNOWN_NAME) parts.onFailed('tls_handshake', error.message);
    socket.destroy();
  });

  return {
    accept(handle) {
      const socket = new Socket({ handle } as unknown as ConstructorParameters<typeof Socket>[0]);
      pending.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => pending.delete(socket));
      if (!shared.answersHandshakes) {
        server.emit('connection', socket);
        return;
      }
      peekHello(socket, clock, handshakeMs, (hello) => {
        const challenge = hello?.protocols.includes('acme-tls/1') ? shared.challengeFor(hello.serverName) : undefined;
        if (challenge === undefined) server.emit('connection', socket);
        else answerChallenge(socket, challenge, clock.wall());
      });
    },
    serves: (next, ms, read) => isDeepStrictEqual(materialOf(next, ms, read), material),
  };
}

const UNKNOWN_NAME = 'GATEHOUSE_UNKNOWN_NAME';

/** The first certificate, and those of other kinds of key for the same names. */
function kindsLike(first: Entry, all: readonly Entry[]): Entry[] {
  return all.filter((one) => one === first || one.names.some((name) => first.names.includes(name)));
}

function coversOf(serverName: string, contextFor: (name: string) => Ready | undefined): (host: string) => boolean {
  let names: ReadonlySet<string> | undefined;
  return (host) => {
    const plain = plainName(host);
    if (plain === serverName) return true;
    names ??= contextFor(serverName)?.names ?? new Set();
    return isIP(plain) === 0 ? coversHost(names, plain) : names.has(plain);
  };
}

/** All that a door is made of. */
function materialOf(config: TlsConfig, handshakeMs: number, readText: ReadText) {
  const { certificates, clientCertificates, acme, domains, ...rest } = config;
  const text = (path: string | undefined) => (path === undefined ? undefined : readText(path));
  return {
    rest,
    handshakeMs,
    texts: certificates.map((one) => [text(one.certificate), text(one.key), text(one.ocsp)]),
    clients: clientCertificates && [clientCertificates, text(clientCertificates.ca), text(clientCertificates.crl)],
  };
}
