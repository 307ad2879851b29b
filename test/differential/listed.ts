/**
 * Every way in which we and Node's parser differ, and why. The test fails on a difference that is not here, and on an entry
 * that no case shows any more. `where` narrows an entry to inputs that it speaks about.
 */

import type { Difference } from './outcome.ts';

/** A known difference. */
export interface Listed {
  readonly signature: string;
  readonly where?: RegExp;
  readonly why: string;
  /** The first major version of Node whose parser reads as we do. */
  readonly until?: number;
  /** The two see another body end, so that everything behind it differs too. */
  readonly spreads?: true;
}

const CLOSES = 'we are the stricter one: ';

/** Differences in reading requests. */
export const listedRequests: readonly Listed[] = [
  // ---- we read on where Node stops
  {
    signature: 'Node tunnels',
    spreads: true,
    where: /^(connection:.*upgrade[\s\S]*^upgrade:|upgrade:[\s\S]*^connection:.*upgrade)/im,
    why: 'what follows an Upgrade is a tunnel to Node at once; we wait for the 101 of the server, and read requests if none comes',
  },
  {
    signature: 'Node refuses: HPE_INVALID_METHOD',
    where: /^[!#$%&'*+\-.^_`|~0-9A-Z]+ /m,
    why: 'Node knows a closed list of methods; the set is open (RFC 9110 §9.1), and what may pass is decided by routes',
  },
  {
    signature: 'Node refuses: HPE_INVALID_VERSION',
    where: /^PRI /m,
    why: 'as above: PRI is the start of the HTTP/2 preface, and refused with HTTP/2.0 behind it',
  },
  {
    signature: 'Node refuses: HPE_INVALID_CONTENT_LENGTH',
    until: 24,
    where: /:[ \t]*\d+[ \t]*\t[ \t]*\r/,
    why: 'a tab behind the number is optional whitespace (RFC 9110 §5.5); Node takes spaces only. We write our own Content-Length',
  },
  {
    signature: 'Node refuses: HPE_INVALID_TRANSFER_ENCODING',
    where: /chunked[ \t]*\t[ \t]*\r/i,
    why: 'a tab behind the coding is optional whitespace (RFC 9110 §5.5). We write our own Transfer-Encoding',
  },
  {
    signature: 'Node refuses: HPE_STRICT',
    where: /[;=][ \t]|[ \t][;=]/,
    why: 'whitespace around ; and = of a chunk extension is to be read (BWS, RFC 9112 §7.1.1); extensions are dropped',
  },
  // ---- we read something else
  {
    signature: 'different target',
    where: / https?:\/\//i,
    why: 'an absolute target is made origin form, or * for OPTIONS without path (RFC 9112 §3.2), its host checked against Host',
  },
  {
    signature: 'different keepAlive',
    where: /^proxy-connection:/im,
    why: 'Proxy-Connection is no standard field and says nothing to us; Node reads it as Connection',
  },
  {
    signature: 'different keepAlive',
    until: 24,
    where: /^connection:.*\t/im,
    why: 'a tab is optional whitespace in a list too (RFC 9110 §5.6.1)',
  },
  {
    signature: 'different trailers',
    why: 'fields that frame, route or authenticate have no place in trailers and are left out (RFC 9110 §6.5.1)',
  },
  {
    signature: 'we end incomplete, Node clean',
    where: /(^|\n)[\r\n]+$/,
    why: 'a CR, or a second empty line, is the start of a head to us, and nothing to Node',
  },
  // ---- we refuse
  {
    signature: 'we refuse: bare_cr',
    why: `${CLOSES}a CR alone is no line end (FAULTS row 13); Node skips it between requests`,
  },
  {
    signature: 'we refuse: bare_lf',
    why: `${CLOSES}an LF alone is no line end (row 14); Node skips it between requests`,
  },
  {
    signature: 'we refuse: request_line',
    why: `${CLOSES}one empty line at most, one space each, no #, HTTP/1.x only (RFC 9112 §2.2, §3)`,
  },
  {
    signature: 'we refuse: request_target',
    why: `${CLOSES}four forms of target, * for OPTIONS, http schemes only (RFC 9112 §3.2)`,
  },
  {
    signature: 'we refuse: http_version',
    why: `${CLOSES}HTTP/1.0 and HTTP/1.1 are spoken; Node lets 0.9 and 2.0 pass`,
  },
  { signature: 'we refuse: host_missing', why: 'Node answers 400 too, but reads on behind it' },
  { signature: 'we refuse: host_repeated', why: `${CLOSES}row 18 (RFC 9112 §3.2); Node takes the first` },
  { signature: 'we refuse: host_invalid', why: `${CLOSES}row 18 (RFC 9110 §7.2); Node does not look at the value` },
  {
    signature: 'we refuse: host_mismatch',
    why: `${CLOSES}Host and an absolute target that differ are routed in two ways`,
  },
  { signature: 'we refuse: expectation', why: 'RFC 9110 §10.1.1: 417; Node leaves it to the application' },
  { signature: 'we refuse: te_in_http10', why: `${CLOSES}row 12 (RFC 9112 §6.1)` },
  {
    signature: 'we refuse: unknown_coding',
    why: 'row 11: 501, as only chunked is decoded; Node hands gzip on as if decoded',
  },
  {
    signature: 'we refuse: chunked_not_last',
    until: 24,
    why: `${CLOSES}row 11; an empty Transfer-Encoding is none to Node, and ends elsewhere for others`,
  },
  {
    signature: 'we refuse: chunked_repeated',
    why: `${CLOSES}identity and empty members are not codings (RFC 9112 §7)`,
  },
  {
    signature: 'we refuse: content_length_invalid',
    why: `${CLOSES}at most 15 digits, so that no reader overflows or rounds`,
  },
  { signature: 'we refuse: chunk_size', why: `${CLOSES}at most 12 digits, so that no reader overflows or rounds` },
  { signature: 'we refuse: chunk_extensions', why: `${CLOSES}an extension has a name (RFC 9112 §7.1.1)` },
  {
    signature: 'we refuse: underscore_field_name',
    why: `${CLOSES}CGI-like servers read Content_Length as Content-Length`,
  },
];

/** Differences in reading responses. */
export const listedResponses: readonly Listed[] = [
  {
    signature: 'Node refuses: HPE_INVALID_CONTENT_LENGTH',
    until: 24,
    where: /:[ \t]*\d+[ \t]*\t[ \t]*\r/,
    why: 'a tab behind the number is optional whitespace (RFC 9110 §5.5)',
  },
  {
    signature: 'Node refuses: HPE_STRICT',
    where: /[;=][ \t]|[ \t][;=]/,
    why: 'whitespace in chunk extensions is to be read (RFC 9112 §7.1.1)',
  },
  {
    signature: 'different body',
    spreads: true,
    where: /chunked[ \t]*\t[ \t]*\r/i,
    why: 'chunked with a tab behind it is chunked; Node reads until the end of the connection and hands the framing on',
  },
  {
    signature: 'Node refuses: HPE_CLOSED_CONNECTION',
    where: /^HTTP\/1\.1 1\d\d[\s\S]*?^connection:.*close/im,
    why: 'close in an interim response speaks about the connection, not about the final response behind it',
  },
  {
    signature: 'we end incomplete earlier',
    until: 24,
    spreads: true,
    where: /\r\r\r\n/,
    why: `${CLOSES}CR CR is no line end and no empty line; the head is refused when its end has come`,
  },
  { signature: 'different trailers', why: 'as for requests' },
  {
    signature: 'we end clean, Node incomplete',
    where: /^$/,
    why: 'an idle connection that ends: nobody had asked for anything',
  },
  {
    signature: 'we refuse: response_body_forbidden',
    why: `${CLOSES}1xx and 204 have no body and announce none (RFC 9110 §8.6)`,
  },
  { signature: 'we refuse: response_chunk_size', why: `${CLOSES}at most 12 digits` },
  { signature: 'we refuse: response_chunk_extensions', why: `${CLOSES}an extension has a name (RFC 9112 §7.1.1)` },
  { signature: 'we refuse: response_content_length_invalid', why: `${CLOSES}at most 15 digits` },
  { signature: 'we refuse: response_interim_http10', why: `${CLOSES}HTTP/1.0 has no 1xx (RFC 9110 §15.2)` },
  { signature: 'we refuse: response_te_in_http10', why: `${CLOSES}row 12` },
  { signature: 'we refuse: response_trailers', why: `${CLOSES}framing in trailers is an attack (RFC 9110 §6.5.1)` },
  {
    signature: 'we refuse: response_unknown_coding',
    why: 'only chunked is decoded; Node reads others until the end of the connection',
  },
  { signature: 'we refuse: response_upgrade_missing', why: `${CLOSES}101 says to what (RFC 9110 §7.8)` },
  { signature: 'we refuse: status_line', why: `${CLOSES}HTTP/1.x, a status from 100, nothing before it (RFC 9112 §4)` },
];

/** The entry that speaks about a difference. */
export function entryFor(difference: Difference, bytes: string, listed: readonly Listed[]): Listed | undefined {
  return listed.find(
    ({ signature, where, spreads }) =>
      (signature === difference.signature || spreads) && (where === undefined || where.test(bytes)),
  );
}
