/** Connecting to a server: TCP, unix socket, or TLS over TCP. Ends in a wire, or in the errno name of what went wrong. */
import { connect } from 'node:net';
import { type ConnectionOptions as TlsOptions, connect as tlsConnect } from 'node:tls';
import { getSystemErrorName } from 'node:util';
import { flushCorked } from './cork.ts';
import {
  type NativeHandle,
  type NativeRequest,
  PipeConnectRequest,
  pipeSocket,
  TcpConnectRequest,
  tcpSocket,
} from './native.ts';
import type { WireOwner } from './owner.ts';
import { Wire } from './wire.ts';

/** Where to connect. */
export interface DialTarget {
  /** IP address, or path of a unix socket. */
  readonly address: string;
  /** 0 for a unix socket. */
  readonly port: number;
  /** Settings of node:tls when the connection is to be secured. */
  readonly tls: TlsOptions | undefined;
  /** HTTP/2 is to be spoken: with TLS, the server must agree to it (ALPN). */
  readonly http2?: boolean;
  /** What is sent before anything else, TLS included: a PROXY header. */
  readonly prelude?: Buffer | undefined;
}

/** Who waits for the connection. */
export interface Dialer extends WireOwner {
  onConnected(wire: Wire): void;
  /** `code`: an errno name such as ECONNREFUSED, or a TLS error code; `tls`: it failed in the handshake. */
  onDialFailed(code: string, message: string, tls: boolean): void;
}

/** A connection on its way. */
export interface Dialing {
  /** Gives up; nothing is reported any more. */
  cancel(): void;
}

/** The errno name of a negative native error code. */
export function errnoName(code: number): string {
  try {
    return getSystemErrorName(code);
  } catch {
    return `E${code}`;
  }
}

/** `dial`, or what takes its place in a test. */
export type Dial = typeof dial;

/** Starts connecting. The dialer is told later, never before this returns. */
export function dial(target: DialTarget, dialer: Dialer): Dialing {
  return target.tls ? dialTls(target, dialer) : dialPlain(target, dialer);
}

function dialPlain(target: DialTarget, dialer: Dialer): Dialing {
  const { address, port } = target;
  const unix = port === 0;
  const handle: NativeHandle = unix ? pipeSocket() : tcpSocket();
  const request: NativeRequest = unix ? new PipeConnectRequest() : new TcpConnectRequest();
  let cancelled = false;
  const done = (status: number) => {
    if (cancelled) return;
    cancelled = true;
    if (status < 0) {
      handle.close();
      const code = errnoName(status);
      dialer.onDialFailed(code, `connect ${code} ${unix ? address : `${address}:${port}`}`, false);
    } else {
      if (!unix) handle.setNoDelay?.(true);
      const wire = new Wire(handle, dialer);
      if (target.prelude !== undefined) wire.writeOwned(target.prelude);
      dialer.onConnected(wire);
    }
    flushCorked();
  };
  request.oncomplete = done;
  const code = unix
    ? (handle.connect?.(request, address) ?? 0)
    : address.includes(':')
      ? (handle.connect6?.(request, address, port) ?? 0)
      : (handle.connect?.(request, address, port) ?? 0);
  if (code < 0) queueMicrotask(() => done(code));
  return {
    cancel() {
      if (cancelled) return;
      cancelled = true;
      handle.close();
    },
  };
}

const NO_PROTOCOL = 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL';
const notSpoken = ({ http2 }: DialTarget) => `the server does not speak ${http2 === true ? 'HTTP/2' : 'HTTP/1.1'}`;

function dialTls(target: DialTarget, dialer: Dialer): Dialing {
  const ALPNProtocols = target.http2 === true ? ['h2'] : ['http/1.1'];
  const { address: host, port, prelude } = target;
  const below = prelude === undefined ? undefined : connect({ host, port });
  below?.on('error', (error) => socket.destroy(error));
  if (prelude !== undefined) below?.write(prelude);
  const socket = tlsConnect({
    ...target.tls,
    // The host also where there is a socket: the certificate has to be for it, else node:tls would want `localhost`.
    host,
    port,
    ...(below !== undefined && { socket: below }),
    ALPNProtocols,
  });
  let connected = false;
  let over = false;
  (below ?? socket).setNoDelay(true);
  (below ?? socket).once('connect', () => {
    connected = true;
  });
  socket.once('secureConnect', () => {
    if (over) return;
    over = true;
    if (target.http2 === true && socket.alpnProtocol !== 'h2') {
      socket.destroy();
      dialer.onDialFailed('EALPN', notSpoken(target), true);
      return;
    }
    const handle = (socket as unknown as { _handle: NativeHandle })._handle;
    dialer.onConnected(new Wire(handle, dialer, () => socket.destroy()));
    flushCorked();
  });
  socket.on('error', (error: NodeJS.ErrnoException & { reason?: string }) => {
    if (over) return;
    over = true;
    socket.destroy();
    const { code = 'ETLS' } = error;
    if (code === NO_PROTOCOL) dialer.onDialFailed('EALPN', notSpoken(target), true);
    // OpenSSL's whole text has addresses and places of its source in it.
    else dialer.onDialFailed(code, error.reason ?? error.message, connected);
  });
  return {
    cancel() {
      if (over) return;
      over = true;
      socket.destroy();
    },
  };
}
