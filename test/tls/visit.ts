/** A visitor over TLS that may come back with a ticket. */
import { once } from 'node:events';
import { connect, type SecureVersion } from 'node:tls';

/** One visit, by this version of TLS or any, with the ticket of an earlier one: whether that held, whose name was shown, and the next ticket. */
export async function visit(port: number, servername: string, session?: Buffer, version?: SecureVersion) {
  const versions = version === undefined ? {} : { minVersion: version, maxVersion: version };
  const socket = connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false, session, ...versions });
  let ticket: Buffer | undefined;
  socket.on('session', (bytes) => {
    ticket = bytes;
  });
  await once(socket, 'secureConnect');
  const reused = socket.isSessionReused();
  const name = String(socket.getPeerCertificate().subject?.CN ?? '');
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  socket.resume();
  await once(socket, 'close');
  return { reused, name, ticket };
}
