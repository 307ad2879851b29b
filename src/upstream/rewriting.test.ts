import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rewrite } from '../kernel/exchange.ts';
import { Rewriting } from './rewriting.ts';

/** Passes so many bytes; then it waits for more, or has ended the answer where it is told that there are none. */
class Meted implements Rewrite {
  left: number;
  waits = false;
  done = false;
  decided: (() => void) | undefined = undefined;
  #held = '';

  constructor(left: number) {
    this.left = left;
  }

  data(buffer: Buffer, start: number, end: number, pass: (buffer: Buffer, start: number, end: number) => void): void {
    this.#held += buffer.toString('latin1', start, end);
    const bytes = Buffer.from(this.#held.slice(0, this.left));
    if (bytes.length > 0) pass(bytes, 0, bytes.length);
    this.#held = this.#held.slice(bytes.length);
    this.left -= bytes.length;
    this.waits = this.#held !== '' && !this.done;
  }

  decide(more: number): void {
    this.left += more;
    this.waits = more > 0;
    this.done = more === 0;
    this.decided?.();
  }

  end(pass: (buffer: Buffer, start: number, end: number) => void): void {
    pass(Buffer.from('.'), 0, 1);
  }
}

/** An answer that is rewritten so, and what became of it. */
function answer(left: number) {
  const rewrite = new Meted(left);
  const said: string[] = [];
  let over = false;
  const rewriting = new Rewriting(rewrite, {
    write: (buffer, start, end) => void said.push(buffer.toString('latin1', start, end)),
    hold: () => void said.push('hold'),
    carryOn: () => !over && said.push('on') > 0,
    cutShort: () => void said.push('cut'),
    complete: (trailers) => void said.push(`complete ${trailers}`),
  });
  const data = (text: string) => rewriting.data(Buffer.from(`<${text}>`), 1, text.length + 1);
  const leave = () => {
    over = true;
  };
  return { rewrite, rewriting, said, data, leave };
}

test('nothing is read while it waits; then it goes on, and may wait again', () => {
  const { rewrite, rewriting, said, data } = answer(3);
  data('ab');
  assert.equal(rewriting.waits, false);
  data('cdefg');
  assert.equal(rewriting.waits, true);
  rewrite.decide(2);
  assert.equal(rewriting.waits, true);
  rewrite.decide(9);
  assert.equal(rewriting.waits, false);
  rewriting.end('x: 1');
  assert.deepEqual(said, ['ab', 'c', 'hold', 'on', 'de', 'hold', 'on', 'fg', '.', 'complete x: 1']);
});

test('what has come whole meanwhile is complete when all of it has passed', () => {
  const { rewrite, rewriting, said, data } = answer(3);
  data('abcdefg');
  rewriting.end('x: 1');
  assert.deepEqual(said, ['abc', 'hold']);
  rewrite.decide(2);
  assert.deepEqual(said.slice(2), ['on', 'de', 'hold']);
  rewrite.decide(2);
  assert.deepEqual(said.slice(5), ['on', 'fg', '.', 'complete x: 1']);
});

test('where no more may pass it has ended, come whole or not', () => {
  const cut = answer(3);
  cut.data('abcd');
  cut.rewrite.decide(0);
  assert.deepEqual(cut.said, ['abc', 'hold', 'on', 'cut']);
  const whole = answer(3);
  whole.data('abcd');
  whole.rewriting.end('x: 1');
  whole.rewrite.decide(0);
  assert.deepEqual(whole.said, ['abc', 'hold', 'on', '.', 'complete ']);
});

test('whoever is gone meanwhile is told nothing more', () => {
  const { rewrite, said, data, leave } = answer(3);
  data('abcd');
  leave();
  rewrite.decide(9);
  assert.deepEqual(said, ['abc', 'hold']);
});
