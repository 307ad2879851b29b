/** The ways to write a server-sent event that all mean the same (WHATWG HTML, 9.2.6), and the cutting of streams. */

/** Rewrites events in `style`; `first` marks the begin of the stream. */
export function styleEvents(events: string, style: string, first: boolean): string {
  switch (style) {
    case 'crlf':
      return events.replaceAll('\n', '\r\n');
    case 'cr':
      return events.replaceAll('\n', '\r');
    case 'nospace':
      return events.replaceAll('data: ', 'data:').replaceAll('event: ', 'event:');
    case 'comments':
      return `: keep-alive\n\n${events}`;
    case 'bom':
      return first ? `\uFEFF${events}` : events;
    case 'multiline':
      // After the first member of the object, where a line break is white space to JSON.
      return events.replaceAll(/^(data: \{[^,\n]*,)/gm, '$1\ndata: ');
    default:
      return events;
  }
}

/** HTTP/1.1 chunks of `text`: one, or pieces of `size` bytes when `size` > 0. */
export function chunked(text: string, size: number): string | Buffer {
  if (size <= 0) return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
  const bytes = Buffer.from(text);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size);
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
  }
  return Buffer.concat(pieces);
}
