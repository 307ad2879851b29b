/**
 * The tools that a request offers to the model. Read as strictly as `peekRequest` reads the rest: what two parsers could see in
 * two ways is refused, for then one of them would see a tool that is not allowed.
 */
import { JsonCursor } from './json.ts';
import { BAD_KEY, KeySet, NO_KEY } from './keys.ts';
import { PeekFault } from './peek.ts';
import { decode, hasControl } from './text.ts';

const QUOTE = 34;
const TOP = new KeySet(['tools', 'functions', 'web_search_options', 'mcp_servers']);
/** Keys of the top level that switch a built-in tool on by being there, and its name. */
const BUILT_IN = ['', '', 'web_search', 'mcp'];
const TOOL = new KeySet(['type', 'name', 'function', 'custom']);
const NAMED = new KeySet(['name']);
/** Types of tools that the client runs itself: their name tells them. */
const CLIENT_SIDE = new Set(['function', 'custom']);

/**
 * Names of the tools in a body that `peekRequest` has read: functions by their name, built-in tools by their type and, where they
 * have one, by their name too. A `PeekFault` where one cannot be told for certain.
 */
export function toolNames(body: Buffer): readonly string[] | PeekFault {
  const found: string[] = [];
  const cursor = new JsonCursor(body, 0);
  const fault = members(cursor, TOP, (key) => {
    const first = cursor.peek();
    if (first === 110) return skip(cursor);
    if (BUILT_IN[key] !== '') {
      found.push(BUILT_IN[key] as string);
      return skip(cursor);
    }
    if (first !== 91) return new PeekFault(`"${TOP.names[key]}" must be a list`, cursor.at, TOP.names[key]);
    return items(cursor, () => tool(cursor, found));
  });
  return fault ?? found;
}

/** One tool; the cursor is in front of it. */
function tool(cursor: JsonCursor, found: string[]): PeekFault | undefined {
  const at = cursor.at;
  if (cursor.peek() !== 123) return new PeekFault('a tool must be an object', at, 'tools');
  const before = found.length;
  let type = '';
  const fault = members(cursor, TOOL, (key) => {
    if (key >= 2) {
      if (cursor.peek() !== 123)
        return new PeekFault(`"${TOOL.names[key]}" of a tool must be an object`, cursor.at, 'tools');
      return members(cursor, NAMED, () => text(cursor, (name) => found.push(name)));
    }
    return text(cursor, (value) => {
      if (key === 0) type = value;
      else found.push(value);
    });
  });
  if (fault !== undefined) return fault;
  if (type !== '' && !CLIENT_SIDE.has(type)) found.push(type);
  return found.length === before ? new PeekFault('a tool has neither name nor type', at, 'tools') : undefined;
}

/** The string that the cursor is in front of. */
function text(cursor: JsonCursor, take: (value: string) => void): PeekFault | undefined {
  const first = cursor.peek();
  const start = cursor.at;
  if (first !== QUOTE) return new PeekFault('name and type of a tool must be strings', start, 'tools');
  const fault = skip(cursor);
  if (fault !== undefined) return fault;
  const value = decode(cursor.bytes, start, cursor.at);
  if (value === undefined || hasControl(value))
    return new PeekFault('name or type of a tool holds a character that no name has', start, 'tools');
  take(value);
  return undefined;
}

function skip(cursor: JsonCursor): PeekFault | undefined {
  return cursor.value() ? undefined : new PeekFault(cursor.fault, cursor.faultAt);
}

/** Calls `each` in front of the value of every key in the set; it must leave the cursor behind the value. */
export function members(
  cursor: JsonCursor,
  keys: KeySet,
  each: (key: number) => PeekFault | undefined,
): PeekFault | undefined {
  if (cursor.peek() !== 123) return broken(cursor, '{');
  cursor.at++;
  if (cursor.peek() === 125) {
    cursor.at++;
    return undefined;
  }
  let seen = 0;
  for (;;) {
    if (cursor.peek() !== QUOTE) return broken(cursor, 'a key in double quotes');
    const keyAt = cursor.at;
    const key = keys.read(cursor);
    if (key === BAD_KEY) return new PeekFault(cursor.fault, cursor.faultAt);
    if (cursor.peek() !== 58) return broken(cursor, ':');
    cursor.at++;
    if (key !== NO_KEY && (seen & (1 << key)) !== 0)
      return new PeekFault(
        `"${keys.names[key]}" is given twice; which one counts would be a guess`,
        keyAt,
        keys.names[key],
      );
    if (key !== NO_KEY) seen |= 1 << key;
    cursor.peek();
    const fault = key === NO_KEY ? skip(cursor) : each(key);
    if (fault !== undefined) return fault;
    const next = cursor.peek();
    if (next !== 44 && next !== 125) return broken(cursor, ', or }');
    cursor.at++;
    if (next === 125) return undefined;
  }
}

function items(cursor: JsonCursor, each: () => PeekFault | undefined): PeekFault | undefined {
  cursor.at++;
  if (cursor.peek() === 93) {
    cursor.at++;
    return undefined;
  }
  for (;;) {
    cursor.peek();
    const fault = each();
    if (fault !== undefined) return fault;
    const next = cursor.peek();
    if (next !== 44 && next !== 93) return broken(cursor, ', or ]');
    cursor.at++;
    if (next === 93) return undefined;
  }
}

function broken(cursor: JsonCursor, wanted: string): PeekFault {
  cursor.unexpected(wanted);
  return new PeekFault(cursor.fault, cursor.faultAt);
}
