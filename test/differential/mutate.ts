/** Small random changes to a corpus: what a fuzzer would try, with the words of HTTP at hand. */
import fc from 'fast-check';

const PIECES = [
  '\r\n',
  '\r',
  '\n',
  ' ',
  '\t',
  '\0',
  ':',
  ',',
  ';',
  '"',
  '/',
  '0',
  '5',
  'a',
  '_',
  '-',
  '\x0b',
  '\x7f',
  '\xa0',
  '\xff',
  '\r\n\r\n',
  'chunked',
  'Transfer-Encoding: chunked\r\n',
  'Content-Length: 5\r\n',
  'Connection: close\r\n',
  'Connection: keep-alive\r\n',
  'HTTP/1.0',
  'Expect: 100-continue\r\n',
  '0\r\n\r\n',
  'Host: a\r\n',
];

/** Edits of a text: where (a share of the length), how many bytes go, what comes instead. */
export const edits = fc.array(
  fc.tuple(fc.nat(10_000), fc.constantFrom(0, 0, 1, 1, 2, 8), fc.oneof(fc.constantFrom(...PIECES), fc.constant(''))),
  { minLength: 1, maxLength: 3 },
);

/** Applies edits. */
export function mutate(bytes: string, changes: readonly (readonly [number, number, string])[]): string {
  let text = bytes;
  for (const [where, gone, come] of changes) {
    const at = Math.floor((where / 10_001) * (text.length + 1));
    text = text.slice(0, at) + come + text.slice(at + gone);
  }
  return text;
}
