/** Answers an authority that asks, by a handshake, whether a domain is ours (tls-alpn-01, RFC 8737). */
import type { Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { challengeCertificate } from '../certificate/csr.ts';
import type { Challenge } from './tlsshared.ts';

/** Shakes hands as the protocol `acme-tls/1` wants it, shows the proof and closes. */
export function answerChallenge(socket: Socket, challenge: Challenge, now: number): void {
  const { certificate, key } = challengeCertificate(challenge.domain, challenge.keyAuthorization, now);
  const server = createServer({ cert: certificate, key, ALPNProtocols: ['acme-tls/1'], minVersion: 'TLSv1.2' });
  server.on('secureConnection', (secure: TLSSocket) => secure.end());
  server.on('tlsClientError', () => socket.destroy());
  server.emit('connection', socket);
}
