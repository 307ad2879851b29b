/**
 * Agent checks, as HAProxy's `agent-check` has them (HAProxy Configuration Manual, section 5.2): a TCP connection, perhaps a
 * line sent, and one line of words back. Words that are missing change nothing; what is not understood is ignored.
 */
import { connect } from 'node:net';
import type { Clock } from '../../kernel/clock.ts';

/** What an agent has said so far, all its answers taken together. */
export interface AgentState {
  /** `up`, or not: `down`, `failed`, `stopped`. */
  readonly up: boolean;
  /** No new requests: `drain` or `maint`, until `ready`. */
  readonly drained: boolean;
  /** Share of the configured weight, 1 for all of it. */
  readonly share: number;
  /** Requests at once, by `maxconn:N`; 0: no limit. */
  readonly maxConnections: number;
  /** The last answer, for logs. */
  readonly reason: string;
}

/** Before any answer. */
export const initialAgent: AgentState = { up: true, drained: false, share: 1, maxConnections: 0, reason: '' };

/** Most that a weight may grow to, as HAProxy's 256 times. */
const MAX_SHARE = 256;

/** The state after an answer. Words are separated by blanks or commas; `#` and what follows is a description. Pure. */
export function nextAgent(state: AgentState, line: string): AgentState {
  let { up, drained, share, maxConnections } = state;
  const said = (line.split(/[\r\n]/, 1)[0] ?? '').trim();
  const words = said.replace(/#.*/, '').toLowerCase();
  for (const word of words.split(/[\s,]+/)) {
    const weight = /^(\d{1,5}(?:\.\d{1,6})?)%$/.exec(word);
    const limit = /^maxconn:(\d{1,9})$/.exec(word);
    if (weight !== null) share = Math.min(MAX_SHARE, Number(weight[1]) / 100);
    else if (limit !== null) maxConnections = Number(limit[1]);
    else if (word === 'up') up = true;
    else if (word === 'down' || word === 'failed' || word === 'stopped' || word === 'fail') up = false;
    else if (word === 'ready') drained = false;
    else if (word === 'drain' || word === 'maint') drained = true;
  }
  return { up, drained, share, maxConnections, reason: `agent: ${said.slice(0, 128)}` };
}

/** Where an agent is asked. */
export interface AgentTarget {
  readonly host: string;
  readonly port: number;
  /** Sent once the connection stands. */
  readonly send: string;
  /** Milliseconds for all of it. */
  readonly timeout: number;
}

const MAX_LINE = 1024;

/**
 * Asks once. `done` is called exactly once, with the line, or with undefined when there was none in time (HAProxy then
 * leaves the server as it is, and so do we), unless the returned function cancels it first.
 */
export function askAgent(target: AgentTarget, clock: Clock, done: (line: string | undefined) => void): () => void {
  let text = '';
  let over = false;
  const finish = (line: string | undefined) => {
    if (over) return;
    over = true;
    timer.cancel();
    socket.destroy();
    done(line);
  };
  const socket = connect(target.port, target.host, () => {
    if (target.send !== '') socket.write(target.send);
  });
  const timer = clock.after(target.timeout, () => finish(undefined));
  socket.setEncoding('latin1');
  socket.on('data', (piece: string) => {
    text += piece;
    if (text.includes('\n') || text.length > MAX_LINE) finish(text);
  });
  socket.on('end', () => finish(text === '' ? undefined : text));
  socket.on('error', () => finish(undefined));
  return () => {
    over = true;
    timer.cancel();
    socket.destroy();
  };
}
