import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TokenRatios } from './ratio.ts';

const MINUTE = 60_000;

/** Learns from so many requests of a caller, each with this ratio. */
function send(ratios: TokenRatios, caller: string, ratio: number, times = 1, now = 0, model = 'm'): void {
  for (let i = 0; i < times; i++) ratios.learn(model, caller, now, 100, 100 * ratio);
}

describe('what is learnt about a model and a caller', () => {
  it('rises at once and falls', () => {
    const ratios = new TokenRatios();
    assert.equal(ratios.of('m', 'a', 0), 1.2);
    send(ratios, 'a', 2);
    assert.ok(ratios.of('m', 'a', 0) > 2);
    assert.ok(ratios.shown('m', 'a', 0) > 2);
    send(ratios, 'a', 0.5, 500);
    assert.ok(ratios.of('m', 'a', 0) > 0.5 && ratios.of('m', 'a', 0) < 0.6, String(ratios.of('m', 'a', 0)));
    assert.equal(ratios.shown('m', 'a', 0), 1);
    assert.equal(ratios.of('other', 'a', 0), 1.2);
  });

  it('is not moved by one odd prompt among others', () => {
    const ratios = new TokenRatios();
    send(ratios, 'a', 1, 20);
    send(ratios, 'a', 1000);
    assert.ok(ratios.of('m', 'a', 0) < 1.1);
    send(ratios, 'a', 1000);
    assert.equal(ratios.of('m', 'a', 0), 8, 'two of them are a habit');
  });

  it('is forgotten with time, also by who was refused and sends nothing any more', () => {
    const ratios = new TokenRatios();
    send(ratios, 'a', 1000, 20);
    assert.equal(ratios.of('m', 'a', 0), 8);
    assert.ok(ratios.of('m', 'a', 10 * MINUTE) < 3.5);
    assert.ok(ratios.of('m', 'a', 60 * MINUTE) < 1.21);
    assert.ok(ratios.shown('m', 'a', 60 * MINUTE) < 1.01);
    // What came before the pause does not come back.
    send(ratios, 'a', 1, 1, 60 * MINUTE);
    assert.ok(ratios.of('m', 'a', 60 * MINUTE) < 1.21);
  });

  it('is bounded in names and in size', () => {
    const ratios = new TokenRatios();
    for (let i = 0; i < 50_000; i++) send(ratios, `c${i % 10}`, 1e7, 1, 0, `m${i}`);
    assert.equal(ratios.of('m1', 'c1', 0), 1.2, 'the oldest are gone');
    assert.equal(ratios.of('m49999', 'c9', 0), 8, 'new ones still find room');
  });
});

describe('what is learnt about a model from others', () => {
  it('is nothing that one or two of them can say, however often', () => {
    const ratios = new TokenRatios();
    send(ratios, 'evil', 1000, 10_000);
    assert.equal(ratios.of('m', 'good', 0), 1.2);
    send(ratios, 'evil too', 1000, 10_000);
    assert.equal(ratios.of('m', 'good', 0), 1.2);
    assert.equal(ratios.shown('m', 'good', 0), 1);
  });

  it('is what most of them see, within bounds, and for a time', () => {
    const ratios = new TokenRatios();
    for (const caller of 'abcde') send(ratios, caller, 2, 3);
    send(ratios, 'evil', 1000, 100);
    assert.ok(Math.abs(ratios.of('m', 'new', 0) - 2.16) < 0.001);
    for (let i = 0; i < 100; i++) send(ratios, `evil${i}`, 1000, 100);
    assert.equal(ratios.of('m', 'new', 0), 3);
    for (const caller of 'abc') send(ratios, caller, 1, 1, 61 * MINUTE);
    assert.ok(ratios.of('m', 'new', 61 * MINUTE) < 1.21);
  });

  it('does not change what a caller has shown himself', () => {
    const ratios = new TokenRatios();
    send(ratios, 'good', 1, 20);
    for (let i = 0; i < 100; i++) send(ratios, `evil${i}`, 1000, 100);
    assert.ok(ratios.of('m', 'good', 0) < 1.1);
  });

  it('never moves by one caller beyond what the others say', () => {
    const caller = fc.constantFrom('a', 'b', 'c', 'd', 'evil');
    const sent = fc.array(fc.tuple(caller, fc.double({ min: 0.5, max: 2, noNaN: true })), { maxLength: 200 });
    fc.assert(
      fc.property(sent, (requests) => {
        const ratios = new TokenRatios();
        for (const [one, ratio] of requests) send(ratios, one, one === 'evil' ? 1e6 : ratio);
        const found = ratios.of('m', 'new', 0);
        assert.ok(found >= 0.5 && found <= 2 * 1.08 + 1e-9, String(found));
      }),
    );
  });
});
