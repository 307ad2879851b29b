import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatProblem, type Loaded, loadConfig, type NotLoaded } from './config.ts';
import type { LoadOptions } from './read.ts';

function missing(path: string): never {
  throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
}

function load(
  text: string | Uint8Array,
  files: Record<string, string> = {},
  options: LoadOptions = {},
): Loaded | NotLoaded {
  const readFile = (path: string) =>
    path === '/etc/gh/g.yaml' ? Buffer.from(text as string) : Buffer.from(files[path] ?? missing(path));
  return loadConfig('g.yaml', {
    cwd: '/etc/gh',
    env: { TOKEN: 'secret', COUNT: '3', EMPTY: '', FILE: 'file:/etc/passwd' },
    readFile,
    ...options,
  });
}

function lines(result: Loaded | NotLoaded): string[] {
  const all = result.ok ? result.warnings.map((w) => ({ ...w, message: `warning: ${w.message}` })) : result.problems;
  return all.map(formatProblem).map((line) => line.replace(/^g\.yaml:/, ''));
}

const BASE = `listeners:
  public: { address: "127.0.0.1:8080" }
upstreams:
  a: { endpoints: [ { url: "http://10.0.0.1:80" } ] }
routes:
  - { name: r, upstream: a }
`;

const GOLDEN = join(import.meta.dirname, '../../../test/golden/config-wrong.txt');
const golden = readFileSync(GOLDEN, 'utf8')
  .split(/^==== /m)
  .slice(1)
  .map((section) => {
    const [what = '', rest = ''] = split(section, '\n');
    const [text = '', told = ''] = split(rest, '----\n');
    return { what, text, told: told.trimEnd().split('\n') };
  });

function split(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return [text.slice(0, at), text.slice(at + mark.length)];
}

// After a wanted change of words: UPDATE_GOLDEN=1 node --test …, then read the difference.
if (process.env.UPDATE_GOLDEN === '1') {
  const sections = golden.map(({ what, text }) => `==== ${what}\n${text}----\n${lines(load(text)).join('\n')}\n`);
  writeFileSync(GOLDEN, sections.join('\n'));
}

for (const { what, text, told } of golden) {
  test(`wrong: ${what}`, () => {
    const result = load(text);
    assert.equal(result.ok, false);
    assert.deepEqual(lines(result), told);
  });
}

test('mistakes of all kinds are told at once, also across wrong parts', () => {
  const told = lines(
    load(`listeners:
  public: { address: "127.0.0.1:8080", timeouts: { bodey: 1s } }
upstreams:
  a: { endpoints: [ { url: "http://10.0.0.1:80", weight: -1 } ] }
models:
  m: { sticky: foo, versions: [ { name: s, upstream: aa } ] }
routes:
  - { upstream: b }
  - { name: x, models: [mm], upstrem: a }
`),
  );
  assert.deepEqual(told, [
    '2:52: listeners.public.timeouts.bodey: unknown key "bodey"; did you mean "body"?',
    '4:58: upstreams.a.endpoints[0].weight: expected a number from 0 to 1000, got -1',
    '6:16: models.m.sticky: expected key, user, ip or header:NAME, got "foo"',
    '6:54: models.m.versions[0].upstream: no upstream is named "aa"; did you mean "a"?',
    '8:5: routes[0].name: "name" is missing; add it (a string): Name in metrics, logs and errors.',
    '8:17: routes[0].upstream: no upstream is named "b"; known upstreams: a',
    '9:25: routes[1].models[0]: no model is named "mm"; did you mean "m"?',
    '9:30: routes[1].upstrem: unknown key "upstrem"; did you mean "upstream"?',
  ]);
});

const RIGHT: [what: string, text: string, warnings: string[]][] = [
  ['the least', BASE, []],
  ['with a byte order mark and CRLF', `\ufeff${BASE.replaceAll('\n', '\r\n')}`, []],
  [
    'JSON with tabs',
    '{\n\t"listeners": {"p": {"address": ":80"}},\n\t"upstreams": {"a": {"endpoints": [{"url": "http://b"}]}},\n\t"routes": [{"name": "r", "upstream": "a"}]\n}',
    [],
  ],
  [
    'anchors and merge keys',
    `${BASE}  - &r { name: r2, upstream: a, match: { path: /a } }\n  - { <<: *r, name: r3, match: { path: /b } }\n`,
    [],
  ],
  [
    'unused parts',
    BASE.replace(
      'routes:',
      '  b: { endpoints: [ { url: "http://10.0.0.2:80" } ] }\nmodels: { m: { versions: [ { name: s, upstream: a } ] } }\nroutes:',
    ),
    [
      '4:3: upstreams.a: warning: models are served from here, but their tokens are not read; set "protocol" to the API that the servers speak to see them',
      '5:3: upstreams.b: warning: no route or model uses this upstream; take it out, or name it in one',
      '6:11: models.m: warning: no route offers this model; add it to the "models" of a route, or take it out',
    ],
  ],
  [
    'memory that no worker can do with',
    `${BASE}workerMemory: 64MiB\noverload: { memory: 100MiB }\n`,
    [
      '7:15: workerMemory: warning: a worker that does nothing holds about 100MiB already; set it to 256MiB or more',
      '8:21: overload.memory: warning: a worker that does nothing holds about 100MiB already; set it to 256MiB or more',
    ],
  ],
  [
    'a route behind its equal',
    `${BASE.replace('upstream: a', 'upstream: a, match: { host: [b, a], method: [GET] }')}  - { name: s, upstream: a, match: { method: GET, host: [A, b] } }\n`,
    [
      '7:29: routes[1].match: warning: never reached: route 1 (r) comes first and matches everything that this one does; make one of them more specific',
    ],
  ],
  [
    'settings without effect',
    BASE.replace('{ endpoints', '{ tls: { serverName: x }, health: { interval: 1s }, endpoints'),
    [
      '4:8: upstreams.a.tls: warning: no endpoint has an https URL, so these settings do nothing',
      '4:32: upstreams.a.health.timeout: warning: a probe may take longer than the interval; probes of a slow server will be late',
    ],
  ],
  [
    'resilience without effect',
    BASE.replace(
      '{ endpoints',
      '{ breaker: { consecutiveTimeouts: 0 }, hedging: {}, retries: { attempts: 1, statuses: [503] }, timeouts: { firstToken: 5s }, endpoints',
    ),
    [
      '4:8: upstreams.a.breaker: warning: no rule can open it; set consecutiveTimeouts, consecutiveErrors, errorRatio or slowRatio',
      '4:45: upstreams.a.hedging: warning: a second sending counts as a try, and retries.attempts allows one; set it to 2 or more',
      '4:82: upstreams.a.retries.statuses: warning: retries.attempts allows one try, so no answer leads to another; set it to 2 or more',
      '4:113: upstreams.a.timeouts.firstToken: warning: nothing is known of tokens in plain HTTP; set "protocol" to the API that the servers speak',
    ],
  ],
  [
    'unverified servers',
    BASE.replace('http:', 'https:').replace('{ endpoints', '{ tls: { verify: false }, endpoints'),
    [
      '4:15: upstreams.a.tls.verify: warning: certificates are not verified: anyone on the way can read and change what is sent; set "ca" instead',
    ],
  ],
];

for (const [what, text, warnings] of RIGHT) {
  test(`right: ${what}`, () => {
    const result = load(text);
    assert.deepEqual(result.ok ? [] : lines(result), []);
    assert.deepEqual(lines(result), warnings);
    if (result.ok)
      assert.deepEqual(JSON.parse(JSON.stringify(result.config)), result.config, 'the snapshot is plain JSON');
  });
}

test('references are replaced, numbers become numbers, and escapes stay', () => {
  const value = 'x-${TOKEN}-${EMPTY:-y}-${EMPTY}-$${Z}';
  const route = `upstream: a, rewrite: { host: "file:host", requestHeaders: { set: { A: "${value}" } } }`;
  const text = `${BASE.replace('upstream: a', () => route)}workers: \${COUNT}\n`;
  const result = load(text, { '/etc/gh/host': 'inner.example\n' });
  assert.ok(result.ok, lines(result).join('\n'));
  assert.equal(result.config.workers, 3);
  assert.equal(result.config.routes[0]?.rewrite?.host, 'inner.example');
  assert.equal(result.config.routes[0]?.rewrite?.requestHeaders?.set.A, 'x-secret-y--${Z}');
  assert.deepEqual(result.sources, ['/etc/gh/g.yaml', '/etc/gh/host']);
});

test('hostile and unreadable files are told, not suffered', () => {
  const laughs = ['a: &a [x,x,x,x,x,x,x,x,x]'];
  for (const [one, two] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh'])
    laughs.push(`${two}: &${two} [${`*${one},`.repeat(9)}]`);
  assert.match(lines(load(laughs.join('\n'))).join('\n'), /aliases stand for more than 100000 values/);
  let stairs = '';
  for (let i = 0; i < 500; i++) stairs += `${' '.repeat(i)}a:\n`;
  for (const deep of ['['.repeat(1_000_000), '{a: '.repeat(20_000), '- '.repeat(50_000), '? '.repeat(50_000), stairs]) {
    assert.match(lines(load(deep)).join('\n'), /^\d+:\d+: more than 64 collections inside each other/);
  }
  assert.deepEqual(lines(load(Buffer.from([0x61, 0x3a, 0x20, 0x31, 0x0a, 0x62, 0xff]))), [
    '2:2: a byte here is not UTF-8; save the file as UTF-8',
  ]);
  assert.deepEqual(lines(load(Buffer.from('\ufeffa: 1', 'utf16le'))), ['1:1: the file is UTF-16; save it as UTF-8']);
  assert.deepEqual(lines(load(Buffer.alloc(16 * 1024 * 1024 + 1, 0x20))), [
    '1:1: has 16777217 bytes; a configuration has at most 16777216',
  ]);
  assert.deepEqual(lines(loadConfig('/nowhere/g.yaml', { env: {} })), [
    '/nowhere/g.yaml:1:1: cannot be read: it does not exist; check the path',
  ]);
  assert.deepEqual(lines(loadConfig('.', { env: {}, cwd: import.meta.dirname })), [
    '.:1:1: this folder has no .yaml, .yml or .json file',
  ]);
});

test('an admin port that others reach says who may ask', () => {
  const told = (admin: string) =>
    lines(load(`${BASE}admin: ${admin}\n`, {}, { env: { ADMIN_TOKEN: 'a-token-of-16-or-more' } }));
  assert.match(told('{ address: ":9901" }').join(), /^7:19: admin.address: this address .*set admin.access/);
  assert.deepEqual(told('{ address: ":9901", anonymous: [metrics, health] }'), []);
  const token = '{ name: ci, token: "${ADMIN_TOKEN}", role: operator }';
  assert.deepEqual(told(`{ address: ":9901", access: { tokens: [${token}] } }`), []);
  assert.match(told(`{ access: { tokens: [${token}, ${token}] } }`).join(), /two tokens are named "ci"/);
  assert.match(told('{ access: {} }').join(), /no token and no login/);
  assert.match(told('{ anonymous: [health] }').join(), /everything answers/);
  for (const address of ['127.0.0.1:9901', '[::1]:9901', 'localhost:9901', 'unix:/run/admin.sock']) {
    assert.deepEqual(told(`{ address: "${address}" }`), []);
  }
});

test('an empty file is no value: most likely it is still being written', () => {
  const text = BASE.replace(
    'upstream: a',
    'upstream: a, rewrite: { requestHeaders: { set: { authorization: "file:key" } } }',
  );
  const at = '6:80: routes[0].rewrite.requestHeaders.set.authorization';
  assert.deepEqual(lines(load(text, { '/etc/gh/key': '' })), [
    `${at}: cannot use file /etc/gh/key: it is empty; is it still being written?`,
  ]);
  assert.deepEqual(lines(load(text, { '/etc/gh/key': 'Bearer x\n' })), []);
});
