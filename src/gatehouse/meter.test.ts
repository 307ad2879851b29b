import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peekRequest, recognize, TokenRatios } from '../ai/ai.ts';
import type { ActiveLimit, Admission } from '../policy/quota/quota.ts';
import { Meter, type Metered } from './meter.ts';

const tokens = (most: number, unit = 'tokens') =>
  ({ rule: { unit }, observe: false, output: 100, most }) as ActiveLimit;

/** A request of this caller with so many words, under these limits. */
function meter(
  ratios: TokenRatios,
  caller: string,
  words: number,
  limits: ActiveLimit[],
  more = '"max_tokens":50',
  stream = false,
): Meter {
  const content = 'word '.repeat(words);
  const body = Buffer.from(`{"model":"m","messages":[{"role":"user","content":"${content}"}],${more}}`);
  return new Meter(
    {
      operation: recognize('POST', '/v1/chat/completions'),
      peek: peekRequest(body),
      body,
      exchange: {
        model: 'm',
        stream,
        startedAt: 0,
        outcome: 'completed',
        inbound: { clientAddress: caller },
        identity: undefined,
      },
      worker: { ratios, events: undefined },
    } as unknown as Metered,
    limits,
    () => ({}),
  );
}

function odd(ratios: TokenRatios, caller: string, times = 20): void {
  for (let i = 0; i < times; i++) ratios.learn('m', caller, 0, 100, 800);
}

test('a prompt that fits by itself is not over the limit because of what others have sent', () => {
  const ratios = new TokenRatios();
  for (const caller of ['e1', 'e2', 'e3', 'e4']) odd(ratios, caller);
  assert.equal(ratios.of('m', 'good', 0), 3);
  for (const [limits, more] of [
    [[tokens(1000)], '"max_tokens":50'],
    [[tokens(1000)], '"stream":false'],
    [[tokens(1000)], '"stream":true'],
    [[tokens(950, 'inputTokens'), tokens(1000)], '"max_tokens":50'],
  ] as const) {
    const { estimate, promptTokens, outputTokens } = meter(ratios, 'good', 890, [...limits], more);
    assert.ok(estimate > 880 && estimate < 950, String(estimate));
    assert.ok(promptTokens >= estimate && promptTokens <= 950, String(promptTokens));
    assert.ok(promptTokens + outputTokens <= 1000 && outputTokens >= 50, String(outputTokens));
  }
});

test('where there is room what is learnt from others counts', () => {
  const ratios = new TokenRatios();
  for (const caller of ['e1', 'e2', 'e3', 'e4']) odd(ratios, caller);
  const { estimate, promptTokens } = meter(ratios, 'good', 100, [tokens(1000)]);
  assert.equal(promptTokens, estimate * 3);
});

test('what a caller has shown himself counts, also where it does not fit', () => {
  const ratios = new TokenRatios();
  odd(ratios, 'evil');
  const { estimate, promptTokens } = meter(ratios, 'evil', 500, [tokens(1000)]);
  assert.equal(promptTokens, estimate * 8);
});

test('a stream waits while more is asked for, and is told when that is decided', () => {
  const made = meter(new TokenRatios(), 'a', 1, [tokens(1000)], '"stream":true', true);
  assert.equal(made.outputTokens, 100);
  const answers: ((granted: boolean) => void)[] = [];
  const extend = (_more: unknown, decided: (granted: boolean) => void) => {
    answers.push(decided);
    return 'wait' as const;
  };
  made.admission = { extend } as Partial<Admission> as Admission;
  let told = 0;
  made.decided = () => told++;
  assert.deepEqual([made.allows(50, 10), answers.length], [true, 0]);
  assert.deepEqual([made.allows(51, 10), answers.length], [true, 1], 'asked ahead of time');
  assert.deepEqual([made.allows(100, 10), made.allows(101, 10), answers.length], [true, 'wait', 1]);
  answers[0]?.(true);
  assert.deepEqual([told, made.outputTokens, made.allows(101, 10)], [1, 200, true]);
  assert.equal(made.allows(201, 10), 'wait');
  // Half of it, and half of that, as long as that is of use.
  for (let i = 1; i < 4; i++) {
    assert.deepEqual([answers.length, told, made.allows(201, 10)], [i + 1, 1, 'wait']);
    answers[i]?.(false);
  }
  assert.deepEqual([answers.length, told, made.allows(201, 10)], [4, 2, false]);
});

test('a prompt that does not fit by itself is over the limit', () => {
  const { promptTokens } = meter(new TokenRatios(), 'good', 1100, [tokens(1000)]);
  assert.ok(promptTokens > 1000);
});
