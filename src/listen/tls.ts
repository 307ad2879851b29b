/**
 * TLS on a listener: reads the ClientHello, chooses the certificates by its server name, lets node:tls shake hands, and hands on
 * a plain wire over its handle. The choice is made before OpenSSL sees a byte: its own hook for that, as Node wraps it,
 * takes over one certificate alone and mixes it with those of the default context.
 */
import { createHash } from 'node:crypto';
import { isIP, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { coversHost, plainName } from '../certificate/facts.ts';
import type { Clock } from '../kernel/clock.ts';
import type { TlsFacts } from '../kernel/identity.ts';
import { type NativeHandle, WriteRequest } from '../socket/native.ts';
import { answerChallenge } from './challenge.ts';
import { clientCertificateOf, described, judge, type Refusal } from './clientcertificate.ts';
import { type Hello, peekHello } from './hello.ts';
import { lookUp, NameTable } from './names.ts';
import { policyOptions } from './policy.ts';
import { type Entry, entryOf, type Ready, SecureContexts } from './secure.ts';
import { type RulesInForce, Standing } from './standing.ts';
import type { TlsConfig } from './tlsconfig.ts';
import type { TlsShared } from './tlsshared.ts';

/** Takes connections and hands them on after their handshake. */
export interface SecureDoor {
  /** Takes a freshly accepted connection, and what has been read of it; returns the socket below TLS. */
  accept(handle: NativeHandle, early?: Buffer): Socket;
  /** Whether it was made of this configuration and these files, so that it need not be made again. */
  serves(config: TlsConfig, handshakeMs: number, readText: ReadText, alpn: readonly string[]): boolean;
}

/** What TLS says about a connection. */
export interface Secured {
  readonly facts: TlsFacts;
  /** Which requests may come on it. */
  readonly standing: Standing;
}

/** Text of a file that the configuration names, read by the supervisor. */
export type ReadText = (path: string) => string;

/** What a door needs. */
export interface DoorParts {
  /** Name of the listener. */
  readonly name: string;
  readonly config: TlsConfig;
  /** From accept to the end of the handshake, in milliseconds. */
  readonly handshakeMs: number;
  readonly readText: ReadText;
  /** Protocols to offer, the preferred one first. */
  readonly alpn: readonly string[];
  readonly shared: TlsShared;
  /** The rules for certificates of clients; those of this door are in force from when it is made. */
  readonly inForce: RulesInForce;
  readonly clock: Clock;
  /** Holds the sockets whose handshake is under way. */
  readonly pending: Set<Pending>;
  /** Gets the TLS socket after its handshake. */
  onSecure(socket: TLSSocket, secured: Secured): void;
  /** A handshake has failed; `fault` is its kind. */
  onFailed(fault: 'tls_handshake' | 'tls_unknown_name', reason: string): void;
  /** A client was refused for what it has shown; `shown` is for the log, `socket` the one below TLS. */
  onRefused(refusal: Refusal, shown: Readonly<Record<string, string>>, socket: Socket): void;
}

/** A connection that cannot serve yet. */
export interface Pending {
  destroy(): unknown;
}

/** The socket below TLS. */
export function parentOf(socket: TLSSocket): Socket {
  return (socket as unknown as { _parent: Socket })._parent;
}

/** A fatal alert in a record of its own (RFC 8446 §6), which node:tls cannot be asked to send. */
const alert = (description: number) => Buffer.of(21, 3, 3, 0, 2, 2, description);
const HANDSHAKE_FAILURE = alert(40);
const UNRECOGNIZED_NAME = alert(112);

/** The parts of a TLS socket that no type names. */
interface Native {
  _handle: { verifyError(): { code?: string } | null; setOCSPResponse?(response: Buffer): void } | null;
  _releaseControl(): boolean;
}

/** Makes a door. Throws when a certificate or key cannot be used. */
export function secureDoor(parts: DoorParts): SecureDoor {
  const { name, config, handshakeMs, readText, alpn, shared, inForce, clock, pending } = parts;
  const material = materialOf(config, handshakeMs, readText, alpn);
  const clients = config.clientCertificates;
  const rules = inForce.of(config, readText);
  const { ca = [], crl } = rules;
  const contexts = new SecureContexts(
    {
      ...policyOptions(config),
      // A session may be resumed where it would have been made alike: at any worker, but not past another rule for clients.
      sessionIdContext: createHash('sha256')
        .update(JSON.stringify([name, material.clients]))
        .digest('hex')
        .slice(0, 32),
      ...(clients !== undefined && { ca }),
      ...(crl !== undefined && { crl }),
    },
    shared.tickets,
  );
  const own = new NameTable<Entry>();
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

  /** What is shown for a server name; undefined: nothing is for it. */
  const readyFor = (serverName: string): Ready | undefined => {
    const found = (serverName === '' ? undefined : lookUp(tables, serverName)) ?? fallback;
    return found && contexts.of(found);
  };

  const refuse = (socket: Socket, handle: NativeHandle, serverName: string) => {
    const request = new WriteRequest();
    request.oncomplete = () => {};
    handle.writeBuffer(request, serverName === '' ? HANDSHAKE_FAILURE : UNRECOGNIZED_NAME);
    parts.onFailed('tls_unknown_name', serverName);
    socket.destroySoon();
  };

  const shake = (socket: Socket, ready: Ready, done: () => void) => {
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext: ready.context,
      requestCert: clients !== undefined,
      // The rules decide, below: a fingerprint may vouch for what no authority does.
      rejectUnauthorized: false,
      ALPNProtocols: [...alpn],
    });
    const native = secure as unknown as Native;
    if (ready.staple !== undefined) native._handle?.setOCSPResponse?.(ready.staple);
    let over = false;
    const fail = (error: Error) => {
      if (!over) parts.onFailed('tls_handshake', error.message);
      over = true;
      secure.destroy();
    };
    secure.on('_tlsError', fail);
    secure.on('error', fail);
    secure.on('close', () => {
      if (!over) fail(new Error('the client has gone'));
    });
    secure.on('secure', () => {
      const problem = native._handle?.verifyError();
      if (over || !native._releaseControl()) return;
      over = true;
      done();
      const { servername } = secure as TLSSocket & { servername?: string | false };
      const serverName = servername ? plainName(servername) : '';
      // With what came along; asked a second time, some versions of Node leave that out.
      const shown = clients && secure.getPeerX509Certificate();
      const certificate = shown && clientCertificateOf(shown);
      const trouble = problem ? (problem.code ?? 'not verified') : '';
      const refusal = clients && judge(clients, certificate, trouble === '', trouble, clock.wall());
      const onRefused = (why: Refusal) => parts.onRefused(why, described(certificate), socket);
      if (refusal !== undefined) {
        onRefused(refusal);
        secure.destroy();
        return;
      }
      const facts: TlsFacts = { serverName, version: secure.getProtocol() ?? '', certificate };
      const covers = serverName === '' ? undefined : coversOf(serverName, ready.names);
      const standing = new Standing({ clock, inForce, rules, certificate, trouble, covers, shown, onRefused });
      parts.onSecure(secure, { facts, standing });
    });
  };

  inForce.set(rules);
  return {
    accept(handle, early) {
      const socket = new Socket({ handle } as unknown as ConstructorParameters<typeof Socket>[0]);
      let greeted = false;
      const timer = clock.after(handshakeMs, () => {
        greeted = true;
        parts.onFailed('tls_handshake', 'it took too long');
        socket.destroy();
      });
      const done = () => {
        timer.cancel();
        pending.delete(socket);
      };
      pending.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        done();
        if (!greeted) parts.onFailed('tls_handshake', 'the client has gone');
      });
      if (early !== undefined && early.length > 0) socket.unshift(early);
      peekHello(socket, (hello: Hello | undefined) => {
        greeted = true;
        const serverName = hello?.serverName ?? '';
        const proof = hello?.protocols.includes('acme-tls/1') ? shared.challengeFor(serverName) : undefined;
        if (proof !== undefined) {
          answerChallenge(socket, proof, clock.wall());
          return;
        }
        let ready: Ready | undefined;
        try {
          // What is no ClientHello gets OpenSSL's own alert.
          ready = hello === undefined ? contexts.bare : readyFor(serverName);
        } catch (error) {
          parts.onFailed('tls_handshake', (error as Error).message);
        }
        if (ready === undefined) refuse(socket, handle, serverName);
        else shake(socket, ready, done);
      });
      return socket;
    },
    serves: (next, ms, read, protocols) => isDeepStrictEqual(materialOf(next, ms, read, protocols), material),
  };
}

/** The first certificate, and those of other kinds of key for the same names. */
function kindsLike(first: Entry, all: readonly Entry[]): Entry[] {
  return all.filter((one) => one === first || one.names.some((name) => first.names.includes(name)));
}

function coversOf(serverName: string, names: ReadonlySet<string>): (host: string) => boolean {
  return (host) => {
    const plain = plainName(host);
    return plain === serverName || (isIP(plain) === 0 ? coversHost(names, plain) : names.has(plain));
  };
}

/** All that a door is made of. */
function materialOf(config: TlsConfig, handshakeMs: number, readText: ReadText, alpn: readonly string[]) {
  const { certificates, clientCertificates, acme, domains, ...rest } = config;
  const text = (path: string | undefined) => (path === undefined ? undefined : readText(path));
  return {
    rest,
    handshakeMs,
    alpn,
    texts: certificates.map((one) => [text(one.certificate), text(one.key), text(one.ocsp)]),
    clients: clientCertificates && [clientCertificates, text(clientCertificates.ca), text(clientCertificates.crl)],
  };
}
