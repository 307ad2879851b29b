/** gRPC from end to end: real client, gateway, real server (@grpc/grpc-js), HTTP/2 on both sides. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { type InProcess, startInProcess, until } from '../inprocess.ts';
import { importPeer, needs } from '../peers.ts';

type Reply = (error: object | null, value?: string, trailer?: Metadata) => void;
interface Metadata {
  set(name: string, value: string | Buffer): void;
  get(name: string): (string | Buffer)[];
}
interface Call extends EventEmitter {
  request: string;
  metadata: Metadata;
  cancelled: boolean;
  write(value: string): boolean;
  end(): void;
  cancel(): void;
  sendMetadata(metadata: Metadata): void;
  getDeadline(): number | Date;
}
interface GrpcError extends Error {
  code: number;
  details: string;
  metadata: Metadata;
}
type Callback = (error: GrpcError | null, value: string) => void;
type Method = (...args: unknown[]) => Call;
interface Client {
  unary: Method;
  serverStream: Method;
  clientStream: Method;
  bidi: Method;
  missing: Method;
  close(): void;
}
interface Server {
  addService(definition: object, handlers: object): void;
  bindAsync(address: string, credentials: object, done: (error: Error | null, port: number) => void): void;
  forceShutdown(): void;
}
interface Grpc {
  Server: new () => Server;
  ServerCredentials: { createInsecure(): object };
  credentials: { createInsecure(): object };
  Metadata: new () => Metadata;
  makeGenericClientConstructor(
    definition: object,
    name: string,
  ): new (
    address: string,
    credentials: object,
    options?: object,
  ) => Client;
}

const text = { serialize: (value: string) => Buffer.from(value), deserialize: (bytes: Buffer) => bytes.toString() };
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: text.serialize,
  requestDeserialize: text.deserialize,
  responseSerialize: text.serialize,
  responseDeserialize: text.deserialize,
});
const echo = {
  unary: method('Unary', false, false),
  serverStream: method('ServerStream', false, true),
  clientStream: method('ClientStream', true, false),
  bidi: method('Bidi', true, true),
};

describe('gRPC', needs({ peers: ['@grpc/grpc-js'] }), () => {
  let grpc: Grpc;
  let server: Server;
  let gateway: InProcess;
  let client: Client;
  const seen = new EventEmitter();

  before(async () => {
    grpc = await importPeer<Grpc>('@grpc/grpc-js');
    server = new grpc.Server();
    server.addService(echo, {
      unary(call: Call, reply: Reply) {
        seen.emit('unary', call);
        call.on('cancelled', () => seen.emit('cancelled'));
        if (call.request === 'wait') return;
        if (call.request === 'fail') {
          const metadata = new grpc.Metadata();
          metadata.set('reason', 'because');
          metadata.set('grpc-status-details-bin', Buffer.from([8, 5, 18, 2, 104, 105]));
          reply({ code: 9, details: 'not now: ünfit', metadata });
          return;
        }
        const first = new grpc.Metadata();
        first.set('first', 'head');
        call.sendMetadata(first);
        const trailer = new grpc.Metadata();
        trailer.set('last', 'trailer');
        reply(null, call.request, trailer);
      },
      serverStream(call: Call) {
        call.on('cancelled', () => seen.emit('cancelled'));
        for (let i = 0; i < 5; i++) call.write(`${call.request} ${i}`);
        if (call.request !== 'endless') call.end();
      },
      clientStream(call: Call, reply: Reply) {
        const parts: string[] = [];
        call.on('data', (part: string) => parts.push(part));
        call.on('end', () => reply(null, parts.join(',')));
      },
      bidi(call: Call) {
        call.on('data', (part: string) => call.write(part.toUpperCase()));
        call.on('end', () => call.end());
      },
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    gateway = await startInProcess({
      upstream: { endpoints: [{ url: `http://127.0.0.1:${port}` }], http2: {}, pool: { idleTimeout: '1h' } },
      upstreams: { none: { endpoints: [{ url: 'http://127.0.0.1:9' }], http2: {} } },
      listener: { protocols: ['http2'] },
      routes: [
        { name: 'none', match: { path: '/test.Echo/Missing' }, upstream: 'none' },
        { name: 'all', match: { path: '/test.Echo/*' }, upstream: 'main' },
      ],
    });
    const definition = {
      ...echo,
      missing: method('Missing', false, false),
      lost: { ...method('X', false, false), path: '/x/Y' },
    };
    const Service = grpc.makeGenericClientConstructor(definition, 'Echo');
    client = new Service(`127.0.0.1:${gateway.port}`, grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
    });
  });

  after(async () => {
    client?.close();
    server?.forceShutdown();
    await gateway?.close();
  });

  const unary = (request: string, deadline?: number, name: keyof Client = 'unary') =>
    new Promise<{ error: GrpcError | null; value: string; first: Metadata | undefined; status: GrpcError }>(
      (resolve) => {
        let answer: { error: GrpcError | null; value: string } | undefined;
        let first: Metadata | undefined;
        let status: GrpcError | undefined;
        const done = () => answer && status && resolve({ ...answer, first, status });
        const callback: Callback = (error, value) => {
          answer = { error, value };
          done();
        };
        const call = (client[name] as Method)(
          request,
          new grpc.Metadata(),
          { deadline: deadline === undefined ? undefined : Date.now() + deadline },
          callback,
        );
        call.on('metadata', (metadata: Metadata) => {
          first = metadata;
        });
        call.on('status', (told: GrpcError) => {
          status = told;
          done();
        });
      },
    );

  test('unary: message, first and last metadata', async () => {
    const { value, first, status } = await unary('hello');
    equal(value, 'hello');
    deepEqual(first?.get('first'), ['head']);
    deepEqual(status.metadata.get('last'), ['trailer']);
    equal(status.code, 0);
  });

  test('a status with details and a message beyond ASCII', async () => {
    const { error } = await unary('fail');
    equal(error?.code, 9);
    equal(error?.details, 'not now: ünfit');
    deepEqual(error?.metadata.get('reason'), ['because']);
    deepEqual(error?.metadata.get('grpc-status-details-bin'), [Buffer.from([8, 5, 18, 2, 104, 105])]);
  });

  test('a message that is larger than every window', async () => {
    const large = 'x'.repeat(3_000_000);
    const { value } = await unary(large);
    equal(value.length, large.length);
  });

  test('server stream, client stream, both', async () => {
    const parts: string[] = [];
    const down = client.serverStream('part');
    down.on('data', (part: string) => parts.push(part));
    await once(down, 'end');
    deepEqual(parts, ['part 0', 'part 1', 'part 2', 'part 3', 'part 4']);

    const sum = await new Promise<string>((resolve, reject) => {
      const up = client.clientStream(((error, value) => (error ? reject(error) : resolve(value))) as Callback);
      for (const part of ['a', 'b', 'c']) up.write(part);
      up.end();
    });
    equal(sum, 'a,b,c');

    const both = client.bidi();
    for (const part of ['x', 'y']) {
      both.write(part);
      equal((await once(both, 'data'))[0], part.toUpperCase());
    }
    both.end();
    await once(both, 'end');
  });

  test('cancellation reaches the server', async () => {
    const call = client.serverStream('endless');
    call.on('error', () => {});
    await once(call, 'data');
    const cancelled = once(seen, 'cancelled');
    call.cancel();
    await cancelled;
  });

  test('the deadline travels, and holds at the gateway too', async () => {
    // On a machine that is held up a call may be over before it is there: then with more time.
    for (let ms = 300, call: Call | undefined; call === undefined; ms *= 4) {
      const arrived = once(seen, 'unary').then(([one]) => one as Call);
      const asked = unary('wait', ms);
      call = await Promise.race([arrived, asked.then(() => undefined)]);
      if (call !== undefined) ok(Number(call.getDeadline()) - Date.now() < ms + 100);
      equal((await asked).error?.code, 4);
      await until('its cancellation at the server', () => call?.cancelled !== false);
    }
  });

  test('what the gateway refuses has a status of gRPC: no server, no route', async () => {
    const none = await unary('x', undefined, 'missing');
    equal(none.error?.code, 14);
    match(none.error?.details ?? '', /could not be reached/);
    deepEqual(none.status.metadata.get('x-request-id').length, 1);
    const lost = await unary('x', undefined, 'lost' as keyof Client);
    equal(lost.error?.code, 12);
  });

  test('many at once share a connection', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => unary(`n${i}`)));
    answers.forEach(({ value }, i) => {
      equal(value, `n${i}`);
    });
    const [endpoint] = gateway.worker.snapshot.upstreams.get('main')?.endpoints ?? [];
    ok((endpoint?.connections ?? 99) <= 2, `${endpoint?.connections} connections`);
    await until('no request is under way', () => gateway.worker.underWay <= 1);
  });
});
