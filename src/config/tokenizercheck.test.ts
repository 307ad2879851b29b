import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tinyTokenizer } from '../ai/tokenizer.fixture.ts';
import { type Config, loadConfig } from './config.ts';
import { formatProblem } from './problem.ts';

const DISK: Record<string, string> = {
  '/etc/gh/tiny.json': JSON.stringify(tinyTokenizer()),
  '/etc/gh/cut.json': JSON.stringify(tinyTokenizer()).slice(0, -10),
  '/etc/gh/lfs.json': 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n',
  '/etc/gh/tokenizer_config.json': '{"chat_template":"…"}',
  '/etc/gh/odd.json': '{"model":{"type":"WordLevel","vocab":{"a":0}}}',
};

function load(model: string, upstream = '', version = '') {
  const text = `listeners: { p: { address: ":80" } }
upstreams: { a: { protocol: openai, endpoints: [ { url: "http://b" } ]${upstream} } }
models:
  m: { ${model}versions: [ { name: v, upstream: a${version} } ] }
routes: [ { name: r, models: [m] } ]
`;
  const readFile = (path: string) => {
    const held = path === '/etc/gh/g.yaml' ? text : DISK[path];
    if (held === undefined) throw Object.assign(new Error('none'), { code: 'ENOENT' });
    return Buffer.from(held);
  };
  return loadConfig('g.yaml', { cwd: '/etc/gh', env: {}, readFile });
}

const at = (file: string) => `tokenizer: ${file}, `;
const CASES: [tokenizer: string, told: RegExp][] = [
  ['o200k', /expected an encoding \(o200k_base, .*\), the path of a tokenizer.json, or estimate/],
  ['none.json', /cannot use \/etc\/gh\/none\.json: it does not exist/],
  ['cut.json', /cannot use \/etc\/gh\/cut\.json: it is not JSON; is it cut short, or a pointer of Git LFS/],
  ['lfs.json', /it is not JSON/],
  ['tokenizer_config.json', /it holds no model\.vocab; name the tokenizer\.json that lies beside the weights/],
  ['odd.json', /its model is of the type WordLevel; there are BPE, Unigram, WordPiece/],
];

for (const [tokenizer, told] of CASES) {
  test(`wrong: ${tokenizer}`, () => {
    const loaded = load(at(tokenizer));
    assert.equal(loaded.ok, false);
    const problems = loaded.ok ? [] : loaded.problems.map(formatProblem);
    assert.equal(problems.length, 1, problems.join('\n'));
    assert.match(problems[0] as string, /^g\.yaml:4:19: models\.m\.tokenizer: /);
    assert.match(problems[0] as string, told);
  });
}

test('right: an encoding, a file beside the configuration, and none at all', () => {
  for (const tokenizer of ['o200k_base', 'gpt2', 'estimate']) assert.equal(load(at(tokenizer)).ok, true, tokenizer);
  const loaded = load(at('tiny.json'), ', tokenizer: estimate', ', tokenizer: ../gh/tiny.json');
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const { models, upstreams } = (loaded as { config: Config }).config;
  assert.equal(models.m?.tokenizer, '/etc/gh/tiny.json');
  assert.equal(models.m?.versions[0]?.tokenizer, '/etc/gh/tiny.json');
  assert.equal(upstreams.a?.tokenizer, 'estimate');
  // A change of the file is a change of the configuration.
  assert.ok(loaded.sources.includes('/etc/gh/tiny.json'));
});
