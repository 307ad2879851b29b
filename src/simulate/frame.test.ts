import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chunked, styleEvents } from './frame.ts';

const EVENTS = 'event: a\ndata: {"type":"a","x":1}\n\ndata: [DONE]\n\n';

test('styles', () => {
  const cases: [style: string, written: string][] = [
    ['', EVENTS],
    ['crlf', EVENTS.replaceAll('\n', '\r\n')],
    ['cr', EVENTS.replaceAll('\n', '\r')],
    ['nospace', 'event:a\ndata:{"type":"a","x":1}\n\ndata:[DONE]\n\n'],
    ['comments', `: keep-alive\n\n${EVENTS}`],
    ['bom', `\uFEFF${EVENTS}`],
    ['multiline', 'event: a\ndata: {"type":"a",\ndata: "x":1}\n\ndata: [DONE]\n\n'],
  ];
  for (const [style, written] of cases) assert.equal(styleEvents(EVENTS, style, true), written);
  assert.equal(styleEvents(EVENTS, 'bom', false), EVENTS);
});

test('chunks carry the text, whatever their size', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.nat(9), (text, size) => {
      const bytes = Buffer.from(chunked(text, size));
      const parts: Buffer[] = [];
      for (let at = 0; at < bytes.length; ) {
        const line = bytes.indexOf('\r\n', at);
        const length = Number.parseInt(bytes.toString('latin1', at, line), 16);
        assert.ok(length > 0 && (size === 0 || length <= size));
        parts.push(bytes.subarray(line + 2, line + 2 + length));
        at = line + 4 + length;
      }
      assert.equal(Buffer.concat(parts).toString(), text);
    }),
  );
});
