import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { promptTokens } from './prompt.ts';

const chat = (content: unknown) => Buffer.from(JSON.stringify({ model: 'm', messages: [{ role: 'user', content }] }));

describe('the estimate of a prompt', () => {
  // What o200k_base and cl100k_base (the larger of the two) make of the text.
  const cases: [string, string, number][] = [
    ['English', 'It was the best of times, it was the worst of times, it was the age of wisdom. '.repeat(20), 420],
    [
      'German',
      'Die Würde des Menschen ist unantastbar. Sie zu achten und zu schützen ist Verpflichtung. '.repeat(20),
      500,
    ],
    ['Chinese', '人人生而自由,在尊严和权利上一律平等。'.repeat(20), 440],
    ['Russian', 'Все люди рождаются свободными и равными в своем достоинстве и правах. '.repeat(20), 600],
    ['numbers', '123 456 789 '.repeat(50), 300],
  ];
  for (const [name, text, tokens] of cases) {
    it(`is near for ${name}`, () => {
      const found = promptTokens(chat(text));
      assert.ok(found > tokens * 0.7 && found < tokens * 1.6, `${found} for about ${tokens}`);
    });
  }

  it('counts an image by a rule of thumb, not by its bytes', () => {
    const url = `data:image/png;base64,${'iVBORw0KGgo'.repeat(20_000)}`;
    const openai = promptTokens(chat([{ type: 'image_url', image_url: { url } }]));
    const data = 'iVBORw0KGgo'.repeat(20_000);
    const anthropic = promptTokens(
      chat([{ type: 'image', source: { type: 'base64', media_type: 'image/png', data } }]),
    );
    for (const found of [openai, anthropic]) assert.ok(found > 1000 && found < 2000, String(found));
  });

  it('counts token ids one each', () => {
    const found = promptTokens(Buffer.from(JSON.stringify({ prompt: Array.from({ length: 500 }, (_, i) => i) })));
    assert.ok(found >= 500 && found < 520, String(found));
  });

  it('grows with the prompt, and a long string is as near as a short one', () => {
    const once = promptTokens(chat('some words in a row, and more '.repeat(500)));
    const often = promptTokens(chat('some words in a row, and more '.repeat(50_000)));
    assert.ok(often > once * 95 && often < once * 125, `${once} → ${often}`);
  });

  it('never fails, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => Number.isSafeInteger(promptTokens(Buffer.from(bytes)))),
    );
    fc.assert(fc.property(fc.json(), (text) => promptTokens(Buffer.from(text)) > 0));
  });
});
