/**
 * Keys hammered on several nodes that share their limits in a real Redis: raw clients that pipeline as much as they can, and a server
 * that notes what reaches it. A request was let in at some time between its sending and its arrival, so all that were sent after a time and
 * have arrived within a window from it were let in within one window: never more than the limit, to the last one.
 */
import { connect, createServer, type Socket } from 'node:net';
import { type Gateway, startGateway } from '../gateway.ts';
import { type RedisServer, startRedis } from '../redis.ts';

/** What is hammered, and how. */
export interface Blow {
  seconds: number;
  keys: number;
  /** Requests of a key in `windowMs`. */
  limit: number;
  windowMs: number;
  nodes: number;
  workers: number;
  /** To each node. */
  connections: number;
  /** Requests under way on each. */
  depth: number;
  /** Called while it runs. */
  meanwhile?: (redis: RedisServer, gateways: readonly Gateway[]) => Promise<void>;
}

/** What became of it. */
export interface Outcome {
  asked: number;
  /** Status → answers. */
  statuses: Record<number, number>;
  /** Offered of what the limits allow. */
  times: number;
  /** The most that one key was let in within a window, for certain. */
  most: number;
  /** Of what a key may have in the time, in full windows: the least and the most that one has had. */
  leastShare: number;
  mostShare: number;
}

interface Passed {
  sentAt: number;
  at: number;
}

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** A server that says yes, and notes key and number of each request. */
async function startServer(heard: (key: number, id: number) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    let text = '';
    socket.on('data', (data) => {
      text += data.toString('latin1');
      let count = 0;
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const [, key, id] = /\r\nx-key: key(\d+)-(\d+)/i.exec(text.slice(0, end)) ?? [];
        heard(Number(key), Number(id));
        text = text.slice(end + 4);
        count++;
      }
      if (count > 0) socket.write(ANSWER.repeat(count));
    });
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  const stop = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}`, stop };
}

/** One connection that always has `depth` requests under way; resolves when it has been told to end and all are answered. */
function client(port: number, depth: number, next: () => string | undefined, answered: (status: number) => void) {
  return new Promise<void>((done, failed) => {
    let text = '';
    let open = 0;
    const socket = connect(port, '127.0.0.1', () => more());
    const more = () => {
      let out = '';
      while (open < depth) {
        const request = next();
        if (request === undefined) break;
        out += request;
        open++;
      }
      if (out !== '') socket.write(out, 'latin1');
      else if (open === 0) socket.end();
    };
    socket.setNoDelay(true);
    socket.on('data', (data) => {
      text += data.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(text.slice(0, end))?.[1] ?? 0);
        if (text.length < end + 4 + length) break;
        answered(Number(text.slice(9, 12)));
        text = text.slice(end + 4 + length);
        open--;
      }
      more();
    });
    socket.on('error', failed);
    socket.on('close', () => (open === 0 ? done() : failed(new Error(`${open} requests have got no answer`))));
  });
}

/** The most that were let in within one window, whatever the way from the gateway took. */
function mostOf(passed: readonly Passed[], windowMs: number): number {
  const ends = passed.toSorted((a, b) => a.at - b.at);
  let most = 0;
  for (const { sentAt: from } of passed) {
    let count = 0;
    for (const { sentAt, at } of ends) {
      if (at > from + windowMs) break;
      if (sentAt >= from) count++;
    }
    most = Math.max(most, count);
  }
  return most;
}

/** Does it. */
export async function hammer(blow: Blow): Promise<Outcome> {
  const { seconds, keys, limit, windowMs, nodes, workers, connections, depth, meanwhile } = blow;
  const sent: number[] = [];
  const passed: Passed[][] = Array.from({ length: keys }, () => []);
  const statuses: Record<number, number> = {};
  const stops: (() => unknown)[] = [];
  try {
    const redis = await startRedis();
    stops.push(() => redis.kill());
    const server = await startServer((key, id) => {
      passed[key]?.push({ sentAt: sent[id] ?? 0, at: performance.now() });
    });
    stops.push(server.stop);
    const config = {
      listeners: { public: { address: '127.0.0.1:0' } },
      workers,
      log: { access: 'off' },
      redis: { url: redis.url, timeout: '5s', nodes },
      upstreams: { one: { protocol: 'http', endpoints: [{ url: server.url }] } },
      routes: [
        {
          name: 'r',
          match: { path: '/*' },
          upstream: 'one',
          // A key is what stands before the number of the request.
          limits: [{ key: 'header:x-limit', requests: `${limit}/${windowMs}ms`, onStoreLoss: 'refuse' }],
        },
      ],
    };
    const gateways = await Promise.all(Array.from({ length: nodes }, () => startGateway(config)));
    for (const gateway of gateways) stops.push(() => gateway.stop());
    const from = performance.now();
    const until = from + seconds * 1000;
    const next = () => {
      if (performance.now() >= until) return undefined;
      const id = sent.push(performance.now()) - 1;
      const key = id % keys;
      return `GET /${key} HTTP/1.1\r\nHost: a\r\nx-limit: ${key}\r\nx-key: key${key}-${id}\r\n\r\n`;
    };
    const answered = (status: number) => {
      statuses[status] = (statuses[status] ?? 0) + 1;
    };
    const clients = gateways.flatMap(({ port }) =>
      Array.from({ length: connections }, () => client(port, depth, next, answered)),
    );
    await Promise.all([...clients, meanwhile?.(redis, gateways)]);
    const tookMs = performance.now() - from;
    const windows = Math.floor(tookMs / windowMs);
    const shares = passed.map((all) => all.length / (limit * windows));
    return {
      asked: sent.length,
      statuses,
      times: sent.length / ((limit * keys * tookMs) / windowMs),
      most: Math.max(...passed.map((all) => mostOf(all, windowMs))),
      leastShare: Math.min(...shares),
      mostShare: Math.max(...shares),
    };
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}
