import { deepEqual, equal, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer as createHttp2Server, type IncomingHttpHeaders } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { HpackDecoder } from './decoder.ts';
import { HpackEncoder } from './encoder.ts';
import { FLAG, FRAME, frame, PREFACE } from './frame.ts';
import { huffmanDecode, huffmanEncode } from './huffman.ts';
import { FrameReader } from './reader.ts';
import { fieldFault } from './table.ts';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

function decodeAll(decoder: HpackDecoder, block: Buffer): string[] | undefined {
  const fields: string[] = [];
  const fine = decoder.decode(block, 0, block.length, ({ name, value }) => fields.push(`${name}: ${value}`));
  return fine ? fields : undefined;
}

test('the Huffman code gives back what it took, and has the codes of RFC 7541', () => {
  equal(huffmanEncode('www.example.com').toString('hex'), 'f1e3c2e5f23a6ba0ab90f4ff');
  equal(huffmanEncode('Mon, 21 Oct 2013 20:13:21 GMT').toString('hex'), 'd07abe941054d444a8200595040b8166e082a62d1bff');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      const coded = huffmanEncode(text(octets));
      const out = Buffer.alloc(2 * coded.length);
      equal(text(out.subarray(0, huffmanDecode(coded, 0, coded.length, out))), text(octets));
    }),
  );
});

test('Huffman: padding that is no start of EOS, or a whole octet, is refused; so is EOS', () => {
  const out = Buffer.alloc(64);
  for (const hex of ['00', 'f1e3c2e5f23a6ba0ab90f400', '1fff', 'ffffffff', 'fffffffc'])
    equal(huffmanDecode(Buffer.from(hex, 'hex'), 0, hex.length / 2, out) < 0, true, hex);
});

test('blocks of RFC 7541 C.4 and C.5: Huffman, dynamic table, eviction', () => {
  const requests = new HpackDecoder(4096);
  const get = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
  deepEqual(decodeAll(requests, Buffer.from('828684418cf1e3c2e5f23a6ba0ab90f4ff', 'hex')), get);
  deepEqual(decodeAll(requests, Buffer.from('828684be5886a8eb10649cbf', 'hex')), [...get, 'cache-control: no-cache']);
  const responses = new HpackDecoder(256);
  const first = [
    ':status: 302',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ];
  const block =
    '4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d';
  deepEqual(decodeAll(responses, Buffer.from(block, 'hex')), first);
  deepEqual(decodeAll(responses, Buffer.from('4803333037c1c0bf', 'hex')), [':status: 307', ...first.slice(1)]);
});

test('what is no block is refused', () => {
  const cases: [string, string][] = [
    ['80', 'index 0'],
    ['be', 'an index beyond the tables'],
    ['3fe21f', 'a table larger than we allow'],
    ['8220', 'a change of the table behind a field'],
    ['0001', 'a name that is cut short'],
    ['00016183ffffff', 'a value that is cut short or no Huffman string'],
    ['ffffffffffffffffff', 'an integer without end'],
    ['7f', 'an integer that is cut short'],
  ];
  for (const [hex, what] of cases) equal(decodeAll(new HpackDecoder(4096), Buffer.from(hex, 'hex')), undefined, what);
});

test('any bytes: the decoder ends, and never holds more than its table', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 6 }), (blocks) => {
      const decoder = new HpackDecoder(4096);
      for (const block of blocks) decodeAll(decoder, Buffer.from(block));
    }),
  );
});

test('what the encoder writes is what the decoder reads', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
  const value = fc.stringMatching(/^[!-~]{0,300}$/);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, value), { maxLength: 30 }),
      fc.integer({ min: 200, max: 599 }),
      (fields, status) => {
        const encoder = new HpackEncoder();
        encoder.begin();
        encoder.status(status);
        encoder.lines(fields.map(([n, v]) => `${n.toUpperCase()}: ${v}\r\n`).join(''));
        const block = Buffer.from(encoder.block, 'latin1');
        deepEqual(decodeAll(new HpackDecoder(4096), block), [
          `:status: ${status}`,
          ...fields.map(([n, v]) => `${n}: ${v}`),
        ]);
      },
    ),
  );
});

test('more names than are remembered, and lines that have no place in HTTP/2', () => {
  const encoder = new HpackEncoder();
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 1500; i++) {
      encoder.begin();
      encoder.lines(
        `X-Name-${i}: \t a b \t\r\nConnection: close\r\nHOST: a\r\ncookie:\r\nno colon\r\n\r\nx: after\r\n`,
      );
      deepEqual(decodeAll(new HpackDecoder(4096), Buffer.from(encoder.block, 'latin1')), [
        `x-name-${i}: a b`,
        'cookie: ',
      ]);
    }
  }
});

test('names in capitals, control characters and whitespace around values may not stand in a message', () => {
  const cases: [string, string, string][] = [
    ['a', 'b', ''],
    ['a', '', ''],
    ['A', 'b', 'h2_field_name'],
    ['a b', 'b', 'h2_field_name'],
    ['', 'b', 'h2_field_name'],
    ['a:', 'b', 'h2_field_name'],
    ['a', 'b\r\nc: d', 'h2_field_value'],
    ['a', 'b\0', 'h2_field_value'],
    ['a', ' b', 'h2_field_value'],
    ['a', 'b\t', 'h2_field_value'],
  ];
  for (const [name, value, fault] of cases) equal(fieldFault(name, value), fault, JSON.stringify([name, value]));
});

test('frames come out the same, whatever pieces they arrive in', () => {
  const frames = [
    frame(FRAME.SETTINGS, 0, 0),
    frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, Buffer.from('block')),
    frame(FRAME.DATA, FLAG.PADDED, 1, Buffer.from('\x03dataxxx', 'latin1')),
    frame(FRAME.DATA, FLAG.END_STREAM, 1, Buffer.alloc(0)),
    frame(99, 7, 3, Buffer.from('unknown')),
  ];
  const all = Buffer.concat(frames);
  const read = (cuts: number[]) => {
    const seen: string[] = [];
    let data = '';
    const reader = new FrameReader();
    const sink = {
      stopped: false,
      onFrameHead: (type: number, flags: number, id: number, length: number) => {
        seen.push(`head ${type} ${flags} ${id} ${length}`);
        return true;
      },
      onFrame: (type: number, _flags: number, _id: number, buffer: Buffer, start: number, end: number) => {
        seen.push(`${type} ${buffer.toString('latin1', start, end)}`);
      },
      onData: (_id: number, buffer: Buffer, start: number, end: number) => {
        data += buffer.toString('latin1', start, end);
      },
      onDataEnd: (id: number, flags: number, length: number, octets: number) => {
        seen.push(`data ${id} ${flags} ${length} ${octets} ${data}`);
        data = '';
      },
      onFrameError: (_code: number, kind: string) => seen.push(kind),
    };
    let at = 0;
    for (const cut of [...cuts, all.length]) {
      reader.read(all, at, cut, sink);
      at = cut;
    }
    return seen;
  };
  const whole = read([]);
  ok(whole.includes('data 1 8 8 4 data'));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: all.length })), (cuts) => {
      deepEqual(read(cuts.sort((a, b) => a - b)), whole);
    }),
  );
});

test("Node's HTTP/2 as oracle: its client's blocks are read by ours, and ours by its server", async () => {
  const seen: string[][] = [];
  const decoder = new HpackDecoder(4096);
  const tcp = createServer((socket) => {
    const reader = new FrameReader();
    let preface = PREFACE.length;
    socket.write(frame(FRAME.SETTINGS, 0, 0));
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const skip = Math.min(preface, bytes.length);
      preface -= skip;
      reader.read(bytes, skip, bytes.length, {
        stopped: false,
        onFrameHead: () => true,
        onFrame(type, flags, _id, buffer, start, end) {
          const from = start + ((flags & FLAG.PRIORITY) === 0 ? 0 : 5);
          if (type === FRAME.HEADERS) seen.push(decodeAll(decoder, buffer.subarray(from, end)) ?? ['?']);
        },
        onData() {},
        onDataEnd() {},
        onFrameError() {},
      });
    });
  }).listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const client = connect(`http://127.0.0.1:${(tcp.address() as AddressInfo).port}`);
  client.on('error', () => {});
  const expected: string[][] = [];
  for (let i = 0; i < 30; i++) {
    const fields = { [`x-${i % 7}`]: `${'Value~^{'.repeat(i)}${i}`, 'user-agent': 'oracle' };
    client.request({ ':path': `/p${i}`, ...fields }, { endStream: true }).on('error', () => {});
    expected.push(Object.entries(fields).map(([name, value]) => `${name}: ${value}`));
  }
  while (seen.length < 30) await new Promise((resolve) => setTimeout(resolve, 2));
  client.destroy();
  tcp.close();
  seen.forEach((fields, i) => {
    deepEqual(fields.slice(4), expected[i]);
  });

  const server = createHttp2Server();
  const got: IncomingHttpHeaders[] = [];
  server.on('stream', (stream, headers) => {
    got.push(headers);
    stream.respond({}, { endStream: true });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const raw = (await import('node:net')).connect((server.address() as AddressInfo).port, '127.0.0.1');
  raw.on('error', () => {});
  raw.write(PREFACE);
  raw.write(frame(FRAME.SETTINGS, 0, 0));
  const encoder = new HpackEncoder();
  encoder.begin();
  for (const index of [2, 6, 4]) encoder.indexed(index);
  encoder.field(':authority', 'a.test');
  encoder.lines(`Authorization: secret\r\nX-Long: ${'y'.repeat(500)}\r\nAccept: */*\r\n`);
  raw.write(frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, Buffer.from(encoder.block, 'latin1')));
  while (got.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  equal(got[0]?.authorization, 'secret');
  equal(got[0]?.['x-long']?.length, 500);
  raw.destroy();
  server.close();
});
