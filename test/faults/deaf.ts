/** A port on this machine at which connecting never succeeds and never fails, as with a dead machine behind a firewall. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';

/** Queue of the listener; Linux lets one more in. */
const BACKLOG = 1;

/** A stopped process with a full queue: further connection requests are dropped. */
export async function deafServer(): Promise<{ url: string; close(): void }> {
  const program = `const s=require('net').createServer();
    s.listen({port:0,host:'127.0.0.1',backlog:${BACKLOG}},()=>process.stdout.write(String(s.address().port)))`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  child.kill('SIGSTOP');
  // State T (proc(5)): it accepts nothing from now on.
  while (!/^\d+ \(.*\) T /.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8'))) await setTimeout(1);
  const sockets = Array.from({ length: BACKLOG + 1 }, () => connect(Number(port), '127.0.0.1'));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  for (const socket of sockets) socket.on('error', () => {});
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      for (const socket of sockets) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}
