/** What a parser makes of bytes, in a form in which two parsers can be compared. */

/** Field lines: name as written, value. */
export type FieldList = [string, string][];

/** A request as a parser has read it. */
export interface SeenRequest {
  method: string;
  target: string;
  minor: number;
  fields: FieldList;
  body: string;
  trailers: FieldList;
  keepAlive: boolean;
}

/** A response as a parser has read it; interim ones only by their status. */
export interface SeenResponse {
  interim: number[];
  status: number;
  reason: string;
  minor: number;
  fields: FieldList;
  body: string;
  trailers: FieldList;
}

/**
 * How a parser ended: between messages, inside one, by refusing what came, or at a message that ends the connection (what
 * follows it is nobody's) or makes a tunnel of it.
 */
export type End = 'clean' | 'incomplete' | 'refused' | 'closed' | 'tunnel';

/** What a parser makes of some bytes. */
export interface Outcome<Message> {
  messages: Message[];
  end: End;
  /** The parser's own word for what it refused. */
  why: string;
}

/** The outcomes differ. `signature` names how, in words that a list of known differences can hold. */
export interface Difference {
  signature: string;
  detail: string;
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** Compares what we make of bytes with what Node makes of them; undefined: the same. */
export function compare<Message extends object>(
  ours: Outcome<Message>,
  theirs: Outcome<Message>,
): Difference | undefined {
  const tunnels = theirs.end === 'tunnel' && ours.messages.length >= theirs.messages.length;
  const comparable = Math.min(ours.messages.length, theirs.messages.length) - (tunnels ? 1 : 0);
  for (let i = 0; i < comparable; i++) {
    const a = ours.messages[i] as Message;
    const b = theirs.messages[i] as Message;
    for (const key of Object.keys(a) as (keyof Message & string)[]) {
      if (same(a[key], b[key])) continue;
      return { signature: `different ${key}`, detail: `${JSON.stringify(a[key])} / Node ${JSON.stringify(b[key])}` };
    }
  }
  const detail = `${ours.messages.length} ${ours.end} ${ours.why} / Node ${theirs.messages.length} ${theirs.end} ${theirs.why}`;
  if (tunnels) return { signature: 'Node tunnels', detail };
  if (ours.messages.length === theirs.messages.length) {
    if (ours.end === theirs.end || isOver(ours.end, theirs.end)) return undefined;
    if (ours.end === 'refused' && theirs.end === 'clean') return { signature: `we refuse: ${ours.why}`, detail };
    if (theirs.end === 'refused' && ours.end === 'clean') return { signature: `Node refuses: ${theirs.why}`, detail };
    return { signature: `we end ${ours.end}, Node ${theirs.end}`, detail };
  }
  const weSawLess = ours.messages.length < theirs.messages.length;
  const less = weSawLess ? ours : theirs;
  const who = weSawLess ? 'we' : 'Node';
  const signature =
    less.end === 'refused'
      ? `${who} refuse${weSawLess ? '' : 's'}: ${less.why}`
      : `${who} end${weSawLess ? '' : 's'} ${less.end} earlier`;
  return { signature, detail };
}

/** Neither took the last message for whole: whether it was refused already or more of it is awaited is a matter of time. */
function isOver(a: End, b: End): boolean {
  return (a === 'refused' && b === 'incomplete') || (a === 'incomplete' && b === 'refused');
}
