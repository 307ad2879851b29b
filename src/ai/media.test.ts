import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { countTokens } from './count.ts';
import type { Operation } from './operation.ts';
import { promptTokens } from './prompt.ts';
import { recognize } from './recognize.ts';

const say = (content: unknown, more: object = {}) => ({ model: 'm', messages: [{ role: 'user', content }], ...more });
const estimate = (body: unknown) => promptTokens(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
const source = (type: unknown, media_type: unknown, data: unknown) => ({ type, media_type, data });

/** Text where something lenient could take it for an image, a sound or a file. */
const DISGUISES: [string, (text: string) => unknown][] = [
  ['a message', (text) => say(text)],
  ['a message that begins as a data URL', (text) => say(`data:image/png;base64,${text}`)],
  ['a pasted stream', (text) => say(`data: ${text}`)],
  ['a part of text', (text) => say([{ type: 'text', text: `data:image/png;base64,${text}` }])],
  ['a part of text beside an image', (text) => say([{ type: 'image_url', text }])],
  ['an image that is none', (text) => say([{ type: 'image_url', image_url: { url: text } }])],
  [
    'an image by its beginning only',
    (text) => say([{ type: 'image_url', image_url: { url: `data:image/png;base64,${text} !` } }]),
  ],
  ['a data URL of text', (text) => say([{ type: 'file', file: { file_data: `data:text/plain;base64,${text}` } }])],
  ['a document of text', (text) => say([{ type: 'document', source: source('text', 'text/plain', text) }])],
  [
    'a document of text, its type last',
    (text) => say([{ source: { data: text, media_type: 'image/png', type: 'text' } }]),
  ],
  [
    'a document of two types',
    (text) =>
      `{"messages":[{"content":[{"source":{"type":"base64","media_type":"image/png","data":${JSON.stringify(text)},"type":"text"}}]}]}`,
  ],
  [
    'a document of a type in disguise',
    (text) =>
      `{"messages":[{"content":[{"source":{"type":"base64","media_type":"image/png","data":${JSON.stringify(text)},"t\\u0079pe":"te\\u0078t"}}]}]}`,
  ],
  [
    'a document of two media types',
    (text) =>
      `{"messages":[{"content":[{"source":{"type":"base64","media_type":"image/png","media_type":"text/plain","data":${JSON.stringify(text)}}}]}]}`,
  ],
  [
    'the second data of a source',
    (text) =>
      `{"messages":[{"content":[{"source":{"type":"base64","media_type":"image/png","data":"aaaa","data":${JSON.stringify(text)}}}]}]}`,
  ],
  [
    'data before another source',
    (text) => say([{ source: { data: text, content: [{ source: source('base64', 'image/png', 'aaaa') }] } }]),
  ],
  ['base64 of a text', (text) => say([{ type: 'document', source: source('base64', 'text/plain', text) }])],
  [
    'arguments of a call',
    (text) =>
      say([
        { type: 'tool_use', name: 'f', input: { data: text, url: text, source: source('base64', 'image/png', text) } },
      ]),
  ],
  [
    'arguments with an image',
    (text) =>
      say([
        {
          type: 'tool_use',
          input: { content: [{ type: 'image_url', image_url: { url: `data:image/png;base64,${text}` } }] },
        },
      ]),
  ],
  [
    'a tool',
    (text) => say('hi', { tools: [{ type: 'function', function: { name: 'f', parameters: { data: text } } }] }),
  ],
  [
    'a document for a template',
    (text) => say('hi', { documents: [{ image_url: `data:image/png;base64,${text}`, data: text }] }),
  ],
  [
    'a variable of a template',
    (text) => say('hi', { chat_template_kwargs: { content: [{ input_audio: { data: text } }] } }),
  ],
  ['a system prompt', (text) => say('hi', { system: [{ type: 'text', text: `data:image/png;base64,${text}` }] })],
  ['a prompt', (text) => ({ prompt: `data:image/png;base64,${text}`, data: text })],
  [
    'unfinished JSON',
    (text) =>
      `{"messages":[{"content":[{"source":{"type":"base64","media_type":"text/plain","data":${JSON.stringify(text)}`,
  ],
];

describe('what only looks like an image, a sound or a file', () => {
  const texts = ['! '.repeat(20_000), 'some words, and more of them. '.repeat(40), 'x y '.repeat(20)];
  for (const [name, disguise] of DISGUISES) {
    it(`is text: ${name}`, () => {
      for (const text of texts) {
        const [found, plain] = [estimate(disguise(text)), estimate(say(text))];
        // Of long texts parts are looked at, which differ.
        assert.ok(found >= plain * 0.95 - 10, `${found}, as plain text ${plain}`);
      }
    });
  }

  it('is text, whatever it says', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...DISGUISES),
        fc.string({ minLength: 65, maxLength: 2000 }),
        ([, disguise], text) => {
          assert.ok(estimate(disguise(`${text} "`)) >= estimate(say(`${text} "`)) - 10);
        },
      ),
    );
  });

  it('is text where its letters are those of base64, too', () => {
    const letters = 'aZ3+'.repeat(2000);
    for (const [name, disguise] of DISGUISES) {
      if (/image that is none|by its beginning/.test(name)) continue;
      assert.ok(estimate(disguise(letters)) >= estimate(say(letters)) - 10, name);
    }
  });
});

describe('an image, a sound or a file', () => {
  const letters = 'iVBORw0KGgo/'.repeat(10_000);
  const kilobytes = letters.length / 1024;
  const url = `data:image/png;base64,${letters}`;
  const cases: [string, unknown, number][] = [
    ['an image of chat', say([{ type: 'image_url', image_url: { url } }]), 1],
    ['without a type', say([{ image_url: { url } }]), 1],
    ['as a string', say([{ type: 'image_url', image_url: url }]), 1],
    ['of Responses', { input: [{ role: 'user', content: [{ type: 'input_image', image_url: url }] }] }, 1],
    [
      'from a tool',
      { input: [{ type: 'function_call_output', output: [{ type: 'input_image', image_url: url }] }] },
      1,
    ],
    ['of messages', say([{ type: 'image', source: source('base64', 'image/png', letters) }]), 1],
    ['its type last', say([{ source: { data: letters, media_type: 'image/png', type: 'base64' }, type: 'image' }]), 1],
    [
      'in the result of a tool',
      say([{ type: 'tool_result', content: [{ type: 'image', source: source('base64', 'image/png', letters) }] }]),
      1,
    ],
    ['with escaped slashes', JSON.stringify(say([{ image_url: { url } }])).replaceAll('/', '\\/'), 1.1],
    [
      'with a plus as a code point',
      JSON.stringify(say([{ image_url: { url } }]))
        .replaceAll('/', '\\u002B')
        .replace('image\\u002B', 'image/'),
      1.5,
    ],
    ['a sound', say([{ type: 'input_audio', input_audio: { data: letters, format: 'mp3' } }]), 4],
    ['a film', say([{ type: 'video_url', video_url: { url: url.replace('image/png', 'video/mp4') } }]), 8],
    ['a PDF', say([{ type: 'document', source: source('base64', 'application/pdf', letters) }]), 64],
    ['a file', say([{ type: 'file', file: { file_data: url.replace('image/png', 'application/pdf') } }]), 64],
    [
      'a file of Responses',
      { input: [{ content: [{ type: 'input_file', file_data: url.replace('image/png', 'application/pdf') }] }] },
      64,
    ],
    ['what is ranked', { query: 'x', documents: [{ content: [{ type: 'image_url', image_url: { url } }] }] }, 1],
  ];
  for (const [name, body, perKilobyte] of cases) {
    it(`counts by its size, and once: ${name}`, () => {
      const found = estimate(body);
      const least = 1200 + kilobytes * perKilobyte * 0.99;
      assert.ok(found >= least && found <= 1300 + kilobytes * perKilobyte * 1.05, `${found} of ${least}`);
    });
  }

  it('counts 1200 at least, however small, and wherever it is', () => {
    for (const part of [
      { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
      { image_url: { url: 'https://example.com/a.png' } },
      { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
      { type: 'image', source: source('base64', 'image/png', 'aaaa') },
      { type: 'file', file: { file_id: 'f-1' } },
      { type: 'input_audio', input_audio: { data: 'aaaa' } },
      { type: 'document', source: { type: 'file', file_id: 'f-1' } },
    ]) {
      const escaped = JSON.stringify(say([part, part]))
        .replaceAll('mage', 'm\\u0061ge')
        .replaceAll('type', 't\\u0079pe');
      for (const text of [JSON.stringify(say([part, part])), escaped]) {
        const found = estimate(text);
        assert.ok(found >= 2400 && found < 2500, `${text}: ${found}`);
      }
    }
  });

  it('is counted alike by a tokenizer, and a document of text as text', () => {
    const by = {
      count: (text: string) => text.length,
      chat: (messages: readonly { content: string }[]) =>
        messages.reduce((sum, { content }) => sum + content.length, 0),
      perCall: 0,
    };
    const operation = recognize('POST', '/v1/messages') as Operation;
    const count = (part: unknown) =>
      countTokens({ operation, prompt: Buffer.from(JSON.stringify(say([part]))) }, by).inputTokens;
    assert.equal(count({ type: 'document', source: source('text', 'text/plain', 'abc'.repeat(100)) }), 300);
    assert.ok((count({ type: 'image', source: source('base64', 'image/png', letters) }) ?? 0) >= 1200);
  });
});

describe('a long text', () => {
  const dense = (length: number, at: (i: number) => boolean) =>
    Array.from({ length: length / 2 }, (_, i) => (at(i * 2) ? '! ' : 'aa')).join('');
  const size = 200_000;
  const places: [string, (i: number) => boolean][] = [
    ['all but four places', (i) => ![0, 65_000, 130_000, size - 5000].some((from) => i >= from && i < from + 5000)],
    ['between its stretches', (i) => i % 3125 > 400 && i % 3125 < 2700],
    ['around the borders of its stretches', (i) => i % 3125 < 400 || i % 3125 > 2700],
    ['half of it', (i) => i < size / 2],
    ['its end', (i) => i > size * 0.9],
    ['every second part', (i) => i % 1024 < 512],
  ];
  for (const [name, at] of places) {
    it(`is looked at where nobody knows: dense in ${name}`, () => {
      const text = dense(size, at);
      let marks = 0;
      for (let i = 0; i < text.length; i++) if (text[i] === '!') marks++;
      const real = marks * 0.8 + (size - marks * 2) / 7;
      let sum = 0;
      for (let i = 0; i < 50; i++) {
        const found = estimate(say(text));
        sum += found / 50;
        assert.ok(found > real * 0.7 && found < real * 1.8, `${found} of ${real}`);
      }
      assert.ok(sum > real && sum < real * 1.5, `${sum} of ${real}`);
    });
  }
});
