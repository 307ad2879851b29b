/** Faults of the status line and the field lines. */
import type { Fault } from '../fault.ts';
import { CLOSE, head, length, OK, odd, raw, status } from './build.ts';

/** Faults of the status line and the field lines. */
export const headFaults: readonly Fault[] = [
  raw(
    'head-bare-lf',
    'invalid',
    'open',
    'A head whose lines end in LF.',
    (b) => head(b, length(b)).replaceAll('\r\n', '\n') + b.text,
  ),
  raw('head-one-bare-lf', 'invalid', 'open', 'One line of the head ends in LF.', odd('X-Odd: one\n')),
  raw(
    'head-bare-cr',
    'invalid',
    'open',
    'A bare CR in a field value (RFC 9112 §2.2).',
    odd('X-Odd: one\rX-Other: two\r\n'),
  ),
  raw('head-nul', 'invalid', 'open', 'NUL in a field value (RFC 9110 §5.5).', odd('X-Odd: o\0ne\r\n')),
  raw('head-control', 'invalid', 'open', 'A control character in a field value.', odd('X-Odd: o\x01ne\r\n')),
  raw('obs-fold', 'invalid', 'open', 'A folded field value (RFC 9112 §5.2).', odd('X-Odd: one\r\n two\r\n')),
  raw(
    'obs-fold-first',
    'invalid',
    'open',
    'White space before the first field.',
    (b) => `${OK} X-Odd: one\r\n${length(b)}\r\n${b.text}`,
  ),
  raw(
    'space-before-colon',
    'invalid',
    'open',
    'A space between name and colon (RFC 9112 §5.1).',
    odd('X-Odd : one\r\n'),
  ),
  raw('name-empty', 'invalid', 'open', 'A field without a name.', odd(': one\r\n')),
  raw('name-invalid', 'invalid', 'open', 'A field name that is no token.', odd('X(Odd): one\r\n')),
  raw('name-space', 'invalid', 'open', 'A space inside a field name.', odd('X Odd: one\r\n')),
  raw('line-without-colon', 'invalid', 'open', 'A field line without a colon.', odd('X-Odd\r\n')),
  raw('head-huge', 'invalid', 'open', 'One field of 1 MiB.', odd(`X-Huge: ${'y'.repeat(1 << 20)}\r\n`)),
  raw('head-many-fields', 'invalid', 'open', '20,000 small fields.', odd('X-Many: y\r\n'.repeat(20_000))),
  {
    ...raw(
      'head-endless',
      'invalid',
      'open',
      'Fields without end, as fast as they are read.',
      () => `${OK}X-First: y\r\n`,
    ),
    pace: 'endless',
  },
  raw('status-line-version', 'invalid', 'open', 'HTTP/2.0 in a status line.', status('HTTP/2.0 200 OK\r\n')),
  raw('status-line-lowercase', 'invalid', 'open', 'http/1.1 in lower case.', status('http/1.1 200 OK\r\n')),
  raw('status-line-two-digits', 'invalid', 'open', 'A status of two digits.', status('HTTP/1.1 20 OK\r\n')),
  raw('status-line-four-digits', 'invalid', 'open', 'A status of four digits.', status('HTTP/1.1 2000 OK\r\n')),
  raw('status-line-letters', 'invalid', 'open', 'A status of letters.', status('HTTP/1.1 abc OK\r\n')),
  raw('status-line-zero', 'invalid', 'open', 'Status 000.', status('HTTP/1.1 000 OK\r\n')),
  raw('status-line-tab', 'invalid', 'open', 'Tabs where spaces belong.', status('HTTP/1.1\t200\tOK\r\n')),
  raw('status-line-cr', 'invalid', 'open', 'A bare CR in the reason phrase.', status('HTTP/1.1 200 O\rK\r\n')),
  raw(
    'status-line-no-reason',
    'valid',
    'fin',
    'An empty reason phrase (RFC 9112 §4).',
    (b) => head(b, CLOSE + length(b), 'HTTP/1.1 200 \r\n') + b.text,
  ),
  raw('http09', 'invalid', 'fin', 'A body without any head.', (b) => b.text),
  raw(
    'garbage',
    'invalid',
    'open',
    'Bytes that are no HTTP: a TLS alert.',
    () => '\x15\x03\x01\x00\x02\x02\x28\x00\xff\xfe',
  ),
];
