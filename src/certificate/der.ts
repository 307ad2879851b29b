/** A DER writer (X.690), as much as requests for certificates need. */

/** One element: tag, length, content. */
export function der(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const size = body.length;
  const length: number[] = [];
  if (size < 0x80) length.push(size);
  else {
    for (let left = size; left > 0; left = Math.floor(left / 256)) length.unshift(left % 256);
    length.unshift(0x80 | length.length);
  }
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

/** SEQUENCE. */
export const sequence = (...parts: Uint8Array[]): Buffer => der(0x30, ...parts);

/** SET of one. */
export const set = (part: Uint8Array): Buffer => der(0x31, part);

/** OCTET STRING. */
export const octets = (content: Uint8Array): Buffer => der(0x04, content);

/** BIT STRING of whole bytes. */
export const bits = (content: Uint8Array): Buffer => der(0x03, Buffer.of(0), content);

/** UTF8String. */
export const utf8 = (text: string): Buffer => der(0x0c, Buffer.from(text));

/** INTEGER of an unsigned number that stands in these bytes, most significant first. */
export function integer(bytes: Uint8Array): Buffer {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const rest = bytes.subarray(from);
  return (rest[0] ?? 0) >= 0x80 ? der(0x02, Buffer.of(0), rest) : der(0x02, rest.length === 0 ? Buffer.of(0) : rest);
}

/** OBJECT IDENTIFIER in dots. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const content: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift(0x80 | (left % 128));
    content.push(...groups);
  }
  return der(0x06, Buffer.from(content));
}

/** GeneralizedTime, to the second; `at` is milliseconds since 1970. */
export function time(at: number): Buffer {
  const digits = new Date(at).toISOString().slice(0, 19).replace(/[-:T]/g, '');
  return der(0x18, Buffer.from(`${digits}Z`));
}

/** BOOLEAN true. */
export const TRUE = der(0x01, Buffer.of(0xff));

/** PEM text of a DER element. */
export function pem(label: string, content: Uint8Array): string {
  const lines =
    Buffer.from(content)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
