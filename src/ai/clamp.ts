/** Bounds what a request may let be generated, by splicing bytes: everything else stays as the client wrote it. */
import { JsonCursor } from './json.ts';
import { KeySet } from './keys.ts';
import type { Operation } from './operation.ts';
import { boundOf, bounds } from './output.ts';
import { PeekFault } from './peek.ts';
import { readNumber } from './text.ts';
import { members } from './tools.ts';

const BOUNDS = new KeySet(['max_tokens', 'max_completion_tokens', 'max_output_tokens', 'n_predict']);
/**
 * The body with no bound above `most`, and none that a server could take for no bound: larger ones are replaced,
 * one of nothing becomes one of a single token, and one is put in where the request has none and the operation
 * generates tokens. The body itself when nothing changes. It must be one that `peekRequest` has read.
 */
export function clampTokens(body: Buffer, most: number, operation: Operation | undefined): Buffer | PeekFault {
  const cursor = new JsonCursor(body, 0);
  const pieces: Buffer[] = [];
  let from = 0;
  let bounded = false;
  const fault = members(cursor, BOUNDS, (field) => {
    const start = cursor.at;
    if (!cursor.value()) return new PeekFault(cursor.fault, cursor.faultAt);
    const isNull = body[start] === 110;
    bounded ||= !isNull && bounds(operation, BOUNDS.names[field] as string);
    if (isNull) return undefined;
    const given = readNumber(body, start, cursor.at);
    if (given >= 1 && given <= most) return undefined;
    // Less than nothing is no bound at all to some servers, and nothing is none to others; but it asks for next to nothing.
    const told = given >= 0 && given < 1 ? Math.min(1, most) : most;
    pieces.push(body.subarray(from, start), Buffer.from(String(told)));
    from = cursor.at;
    return undefined;
  });
  if (fault !== undefined) return fault;
  const key = operation === undefined ? undefined : boundOf(operation);
  const clamped = from === 0 ? body : Buffer.concat([...pieces, body.subarray(from)]);
  return bounded || key === undefined ? clamped : withBound(clamped, key, most);
}

/** Puts the bound in front of all else, or in the place of a null. */
function withBound(body: Buffer, key: string, most: number): Buffer {
  const cursor = new JsonCursor(body, 0);
  let [from, to] = [-1, -1];
  members(cursor, new KeySet([key]), () => {
    from = cursor.at;
    cursor.value();
    to = cursor.at;
    return undefined;
  });
  if (from >= 0) return Buffer.concat([body.subarray(0, from), Buffer.from(String(most)), body.subarray(to)]);
  const brace = body.indexOf(123) + 1;
  const rest = new JsonCursor(body, brace);
  const text = `"${key}":${most}${rest.peek() === 125 ? '' : ','}`;
  return Buffer.concat([body.subarray(0, brace), Buffer.from(text), body.subarray(brace)]);
}
