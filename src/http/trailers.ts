/** A trailer section (RFC 9110 §6.5), whatever the version of HTTP that brought it. */
import { HttpFault } from './fault.ts';
import { FieldSection } from './fields.ts';
import { FORWARDING_FIELDS, HOP_BY_HOP, KNOWN } from './known.ts';

/** Fields that have no business in a trailer (RFC 9110 §6.5.1). */
const NOT_IN_TRAILERS =
  HOP_BY_HOP |
  FORWARDING_FIELDS |
  KNOWN.host |
  KNOWN.expect |
  KNOWN['max-forwards'] |
  KNOWN.date |
  KNOWN['x-request-id'] |
  KNOWN['content-type'] |
  KNOWN['content-encoding'];
const SENSITIVE =
  /^(authorization|cookie|set-cookie|content-range|cache-control|range|if-.*|www-authenticate|age|expires|location|retry-after|vary|warning)$/;

const bad = (message: string) => new HttpFault('trailers', 'bad_request', message);

/** Field lines (with CRLF) that may be forwarded, out of the section in `buffer[0, end)`, which ends in its empty line. */
export function readTrailers(buffer: Buffer, end: number, mostFields: number): string | HttpFault {
  const fields = new FieldSection();
  const parsed = fields.parse(buffer, 0, 0, mostFields);
  if (typeof parsed !== 'number') return parsed;
  if (parsed !== end) return bad('the trailer section ends before its empty line');
  if ((fields.seen & (KNOWN['content-length'] | KNOWN['transfer-encoding'])) !== 0)
    return bad('a trailer section frames a message (RFC 9110 §6.5.1)');
  fields.text = buffer.toString('latin1', 0, end);
  return fields.linesWhere(NOT_IN_TRAILERS, (name) => !SENSITIVE.test(name) && !name.includes('_'));
}
