/** Answers an authority that asks, by a handshake, whether a domain is ours (tls-alpn-01, RFC 8737). */
import type { Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { challengeCertificate } from '../certificate/csr.ts';
import type { Clock } from '../kernel/clock.ts';
import { HELLO_MAX, type Hello, readHello } from './hello.ts';
import type { Challenge } from './tlsshared.ts';

/**
 * Reads the ClientHello and puts it back for whoever shakes hands then. Gives undefined when it is none; never calls when
 * the client goes or takes longer than `patienceMs`, and then the socket is closed.
 */
export function peekHello(
  socket: Socket,
  clock: Clock,
  patienceMs: number,
  done: (hello: Hello | undefined) => void,
): void {
  const timer = clock.after(patienceMs, () => socket.destroy());
  let seen = Buffer.alloc(0);
  const look = () => {
    for (let part = socket.read() as Buffer | null; part !== null; part = socket.read() as Buffer | null) {
      seen = Buffer.concat([seen, part]);
    }
    const hello = readHello(seen);
    if (hello === 'more' && seen.length <= HELLO_MAX && !socket.readableEnded) return;
    timer.cancel();
    socket.removeListener('readable', look);
    if (seen.length > 0) socket.unshift(seen);
    done(typeof hello === 'string' ? undefined : hello);
  };
  socket.on('readable', look);
  socket.once('close', () => timer.cancel());
}

/** Shakes hands as the protocol `acme-tls/1` wants it, shows the proof and closes. */
export function answerChallenge(socket: Socket, challenge: Challenge, now: number): void {
  const { certificate, key } = challengeCertificate(challenge.domain, challenge.keyAuthorization, now);
  const server = createServer({ cert: certificate, key, ALPNProtocols: ['acme-tls/1'], minVersion: 'TLSv1.2' });
  server.on('secureConnection', (secure: TLSSocket) => secure.end());
  server.on('tlsClientError', () => socket.destroy());
  server.emit('connection', socket);
}
