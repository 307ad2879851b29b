/**
 * What workers and the authority say to each other, packed: all that is said at once travels as one flat list. A name is written when it is another
 * than the one before, and the usable endpoints when they have changed: an object for each thing said takes several times the processor.
 */
import type { NextNote, QueueAnswer, QueueAsk, RefusedFor } from './message.ts';

/** Things said in one direction, one after the other: what it is, and its fields. */
export type Letter = unknown[];

// Both ways: of which upstream what follows is.
const UPSTREAM = 0;
// From a worker.
const USABLE = 1;
const WAIT = 2;
const LEAVE = 3;
const SEATS = 4;
const TOOK = 5;
// From the authority.
const GRANTED = 1;
const REFUSED = 2;
const LEFT = 3;
const NEXT = 4;

/** No number of a request: for what is no answer to one. */
const NOTHING = Object.freeze({});

/** Packs what a worker says. */
export class AskWriter {
  letter: Letter = [];
  #upstream = '';
  /** Upstream → its usable endpoints as last told. */
  readonly #usable = new Map<string, readonly string[]>();

  /** Adds one thing. */
  add(ask: QueueAsk): void {
    const { letter } = this;
    if (letter.length === 0 || this.#upstream !== ask.upstream) {
      this.#upstream = ask.upstream;
      letter.push(UPSTREAM, ask.upstream);
    }
    if (ask.type === 'leave' || ask.type === 'took') {
      letter.push(ask.type === 'leave' ? LEAVE : TOOK, ask.id);
      return;
    }
    const known = this.#usable.get(ask.upstream);
    if (known === undefined || !sameNames(known, ask.usable)) {
      this.#usable.set(ask.upstream, ask.usable);
      letter.push(USABLE, ask.usable);
    }
    if (ask.type === 'wait') {
      const { id, priority, tenant, weight, cost, patienceMs, waitedMs } = ask;
      letter.push(WAIT, id, priority, tenant, weight, cost, patienceMs, waitedMs);
    } else {
      const { back, used, samples, refused } = ask;
      letter.push(SEATS, orZero(back), orZero(used), orZero(samples), orZero(refused));
    }
  }

  /** Takes out what has been added. */
  take(): Letter {
    const { letter } = this;
    this.letter = [];
    return letter;
  }
}

/** Unpacks what one worker says, letter by letter. */
export class AskReader {
  readonly #usable = new Map<string, readonly string[]>();

  /** Calls back with each thing. */
  read(letter: Letter, each: (ask: QueueAsk) => void): void {
    let upstream = '';
    let usable: readonly string[] = [];
    for (let at = 0; at < letter.length; ) {
      const what = letter[at++];
      if (what === UPSTREAM) {
        upstream = letter[at++] as string;
        usable = this.#usable.get(upstream) ?? [];
      } else if (what === USABLE) {
        usable = letter[at++] as string[];
        this.#usable.set(upstream, usable);
      } else if (what === LEAVE) each({ type: 'leave', upstream, id: letter[at++] as number });
      else if (what === TOOK) each({ type: 'took', upstream, id: letter[at++] as number });
      else if (what === WAIT) {
        const [id, priority, tenant] = [letter[at++] as number, letter[at++] as number, letter[at++] as string];
        const [weight, cost] = [letter[at++] as number, letter[at++] as number];
        const [patienceMs, waitedMs] = [letter[at++] as number, letter[at++] as number];
        each({ type: 'wait', upstream, id, priority, tenant, weight, cost, patienceMs, waitedMs, usable });
      } else if (what === SEATS) {
        const [back, used] = [orNothing<number>(letter[at++]), orNothing<number>(letter[at++])];
        const [samples, refused] = [orNothing<readonly number[]>(letter[at++]), orNothing<number>(letter[at++])];
        each({ type: 'seats', upstream, back, used, samples, refused, usable });
      } else throw new Error(`a letter about queues says ${String(what)}, which nobody knows`);
    }
  }
}

/** Packs what the authority says to one worker. */
export class AnswerWriter {
  letter: Letter = [];
  #upstream = '';

  /** Adds the answer to a request of that upstream. */
  add(upstream: string, id: number, answer: QueueAnswer): void {
    const letter = this.#of(upstream);
    if (answer.type === 'granted') letter.push(GRANTED, id, answer.endpoint, answer.ahead, answer.busy);
    else if (answer.type === 'refused') letter.push(REFUSED, id, answer.reason, answer.ahead, answer.waitMs);
    else letter.push(LEFT, id, answer.ahead, answer.waitMs);
  }

  /** Adds who is next. */
  next({ upstream, known, next, rest, alone }: NextNote): void {
    this.#of(upstream).push(NEXT, known, next, rest, alone);
  }

  #of(upstream: string): Letter {
    if (this.letter.length === 0 || this.#upstream !== upstream) {
      this.#upstream = upstream;
      this.letter.push(UPSTREAM, upstream);
    }
    return this.letter;
  }

  /** Takes out what has been added. */
  take(): Letter {
    const { letter } = this;
    this.letter = [];
    return letter;
  }
}

/** Unpacks what the authority says: calls back with each answer, and with who is next. */
export function readAnswers(
  letter: Letter,
  each: (upstream: string, id: number, answer: QueueAnswer) => void,
  call: (note: NextNote) => void,
): void {
  let upstream = '';
  for (let at = 0; at < letter.length; ) {
    const what = letter[at++];
    if (what === UPSTREAM) {
      upstream = letter[at++] as string;
      continue;
    }
    if (what === NEXT) {
      const [known, next] = [letter[at++] as number, letter[at++] as number[]];
      call({ upstream, known, next, rest: letter[at++] as number, alone: letter[at++] as boolean });
      continue;
    }
    const id = letter[at++] as number;
    if (what === GRANTED) {
      const [endpoint, ahead] = [letter[at++] as string, letter[at++] as number];
      each(upstream, id, { type: 'granted', endpoint, ahead, busy: letter[at++] as boolean });
    } else if (what === REFUSED) {
      const [reason, ahead] = [letter[at++] as RefusedFor, letter[at++] as number];
      each(upstream, id, { type: 'refused', reason, ahead, waitMs: letter[at++] as number });
    } else if (what === LEFT) {
      const ahead = letter[at++] as number;
      each(upstream, id, { type: 'left', ahead, waitMs: letter[at++] as number });
    } else throw new Error(`a letter about queues says ${String(what)}, which nobody knows`);
  }
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Most notes leave most of their fields empty. */
function orZero(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | 0 {
  for (const _ in fields) return fields;
  return 0;
}

const orNothing = <T>(fields: unknown): Readonly<Record<string, T>> =>
  fields === 0 ? NOTHING : (fields as Record<string, T>);
