/**
 * Base64url and JSON as a token may hold them: one written form for each value. What two readers could read in two ways
 * (padding, stray bits, a member that stands twice, broken UTF-8) is not read at all.
 */

/** Objects and lists inside each other. */
const DEPTH_MAX = 16;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Base64url without padding (RFC 7515 §2), in its one canonical form; undefined for anything else. */
export function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  // Other characters, padding and bits beyond the last byte do not survive the way back.
  return bytes.toString('base64url') === text ? bytes : undefined;
}

/** A JSON object in UTF-8 whose members are all named once, at every depth (RFC 7515 §4); undefined for anything else. */
export function parseJsonObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const text = utf8.decode(bytes);
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value) || repeats(text)) return undefined;
    return value as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Whether an object in this valid JSON text names a member twice, or lies too deep. */
function repeats(text: string): boolean {
  // One entry for each open object or list; lists have no names.
  const open: (Set<string> | undefined)[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 123 || c === 91) {
      if (open.push(c === 123 ? new Set() : undefined) > DEPTH_MAX) return true;
    } else if (c === 125 || c === 93) {
      open.pop();
    } else if (c === 34) {
      const end = endOfString(text, i);
      if (isName(text, end)) {
        // Escapes may spell one name in several ways.
        const name = JSON.parse(text.slice(i, end)) as string;
        const names = open[open.length - 1] as Set<string>;
        if (names.has(name)) return true;
        names.add(name);
      }
      i = end - 1;
    }
  }
  return false;
}

function endOfString(text: string, start: number): number {
  let i = start + 1;
  for (let c = text.charCodeAt(i); c !== 34; c = text.charCodeAt(++i)) if (c === 92) i++;
  return i + 1;
}

/** Whether a colon follows. */
function isName(text: string, end: number): boolean {
  let i = end;
  for (let c = text.charCodeAt(i); c === 32 || c === 9 || c === 10 || c === 13; c = text.charCodeAt(++i));
  return text.charCodeAt(i) === 58;
}
