import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Loaded, type LoadOptions, loadConfig, type NotLoaded } from './load.ts';
import { formatProblem } from './problem.ts';

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

/** What is written → what is told, whole lines without the file name. */
const WRONG: [what: string, text: string, told: string[]][] = [
  [
    'an empty file',
    '',
    ['1:1: the file is empty; it needs at least "listeners" and "routes": see examples/minimal.yaml'],
  ],
  [
    'a list',
    '- a',
    ['1:1: expected a mapping, got a list; it needs at least "listeners" and "routes": see examples/minimal.yaml'],
  ],
  ['a tab', 'listeners:\n\tpublic: 1\n', ['2:1: a tab is used as indentation; YAML wants spaces']],
  [
    'two documents',
    `${BASE}---\n${BASE}`,
    ['7:1: a second document starts here; one file holds one configuration: take the "---" out'],
  ],
  ['a tag', `${BASE}workers: !many 3\n`, ['7:10: tags such as !name are not used here; leave it out']],
  ['a repeated key', `${BASE}log: {}\nlog: {}\n`, ['8:1: log: key "log" stands twice here (first line 7); keep one']],
  ['an alias of nothing', `${BASE}log: *x\n`, ['7:6: log: no anchor "&x" stands before the alias "*x"']],
  [
    'an alias of itself',
    `${BASE}log: &x { access: *x }\n`,
    ['7:19: log.access: the alias "*x" stands inside what it names'],
  ],
  [
    'a reference without quotes in a flow mapping',
    `${BASE}admin: { address: \${A} }\n`,
    [
      '7:20: not valid YAML: unexpected flow-map-start at node end; inside { } and [ ] a ${NAME} needs quotes: "${NAME}"',
    ],
  ],
  [
    'two values on a line',
    'listeners: public: 3\n',
    [
      '1:12: a mapping starts on the line of another key; indent it on a line of its own, or put a value with ": " in quotes',
    ],
  ],
  ['a __proto__ key', `${BASE}__proto__: {}\n`, ['7:1: this cannot be a key; a key is a plain word']],
  [
    'nothing but a key',
    'listeners: {}\n',
    [
      '1:1: routes: "routes" is missing; add it (a list): Which request goes where.',
      '1:12: listeners: expected at least one listener, such as public: { address: "0.0.0.0:8080" }',
    ],
  ],
  [
    'a misspelt key',
    BASE.replace('endpoints', 'endpionts'),
    ['4:8: upstreams.a.endpionts: unknown key "endpionts"; did you mean "endpoints"?'],
  ],
  [
    'another style of key',
    `${BASE}log: { Access: off }\n`,
    ['7:8: log.Access: unknown key "Access"; did you mean "access"?'],
  ],
  [
    'an unknown key',
    `${BASE}log: { colour: red }\n`,
    ['7:8: log.colour: unknown key "colour"; known keys here: access'],
  ],
  [
    'a wrong word',
    BASE.replace('{ endpoints', '{ protocol: opnai, endpoints'),
    ['4:18: upstreams.a.protocol: expected openai, anthropic or http, got "opnai"; did you mean "openai"?'],
  ],
  [
    'a wrong word among alternatives',
    BASE.replace('{ endpoints', '{ balance: roundrobin, endpoints'),
    [
      '4:17: upstreams.a.balance: expected roundRobin, leastRequests, random, hash or a mapping, got "roundrobin"; did you mean "roundRobin"?',
    ],
  ],
  [
    'a wrong key in an alternative',
    BASE.replace('upstream: a', 'upstream: a, match: { query: { q: { prefx: a } } }'),
    ['6:52: routes[0].match.query.q.prefx: unknown key "prefx"; did you mean "prefix"?'],
  ],
  [
    'durations',
    BASE.replace('{ endpoints', '{ timeouts: { connect: 2 sec, total: 90d, idle: true, firstByte: 5 }, endpoints'),
    [
      '4:29: upstreams.a.timeouts.connect: expected a duration, such as 2s, got "2 sec"',
      '4:43: upstreams.a.timeouts.total: expected at most 24d, got "90d"',
      '4:54: upstreams.a.timeouts.idle: expected a duration, such as 30s, got true',
      '4:71: upstreams.a.timeouts.firstByte: expected a duration, such as 60s, got 5',
    ],
  ],
  ['a number out of range', `${BASE}workers: 999\n`, ['7:10: workers: expected a number from 1 to 256, got 999']],
  [
    'neither number nor word',
    `${BASE}workers: aut\n`,
    ['7:10: workers: expected auto or a whole number from 1 to 256, got "aut"; did you mean "auto"?'],
  ],
  [
    'nothing behind a key',
    `${BASE}admin:\n`,
    ['7:7: admin: expected a mapping, got nothing; write one, or take the key out'],
  ],
  [
    'a number for a string',
    BASE.replace('upstream: a', 'upstream: 3'),
    ['6:26: routes[0].upstream: expected a string, got 3; put it in quotes: "3"'],
  ],
  [
    'a wrong URL',
    BASE.replace('10.0.0.1:80', '10.0.0.1:80/v1'),
    [
      '4:28: upstreams.a.endpoints[0].url: expected http://HOST:PORT, https://HOST:PORT or unix:/path, without a path behind it, got "http://10.0.0.1:80/v1"',
    ],
  ],
  [
    'a wrong port',
    BASE.replace('10.0.0.1:80', '10.0.0.1:99999'),
    [
      '4:28: upstreams.a.endpoints[0].url: "http://10.0.0.1:99999" is not a URL that can be connected to; check host and port (0 to 65535)',
    ],
  ],
  [
    'a name with a space',
    BASE.replace('public', '"my door"'),
    [
      '2:3: listeners["my door"]: "my door" cannot be a key here; expected a name of letters, digits and . _ : / - (at most 128)',
    ],
  ],
  [
    'a header that smuggles',
    BASE.replace('upstream: a', 'upstream: a, rewrite: { requestHeaders: { set: { A: "a\\r\\nb" } } }'),
    [
      '6:68: routes[0].rewrite.requestHeaders.set.A: expected a field value: one line, without control characters, got "a\\r\\nb"',
    ],
  ],
  [
    'framing fields',
    BASE.replace(
      'upstream: a',
      'upstream: a, rewrite: { requestHeaders: { set: { Host: b, Transfer-Encoding: gzip } } }',
    ),
    [
      '6:65: routes[0].rewrite.requestHeaders.set.Host: Host cannot be written here: set "rewrite.host" instead',
      '6:74: routes[0].rewrite.requestHeaders.set.Transfer-Encoding: Transfer-Encoding cannot be written here: Gatehouse writes this field itself; take it out',
    ],
  ],
  [
    'an unknown upstream',
    BASE.replace('upstream: a', 'upstream: aa'),
    ['6:26: routes[0].upstream: no upstream is named "aa"; did you mean "a"?'],
  ],
  [
    'a method of Object as upstream',
    BASE.replace('upstream: a', 'upstream: toString'),
    ['6:26: routes[0].upstream: no upstream is named "toString"; known upstreams: a'],
  ],
  [
    'a route to nowhere',
    BASE.replace(', upstream: a', ''),
    ['6:5: routes[0]: the route leads nowhere; add "upstream" (for any HTTP service) or "models" (for models)'],
  ],
  [
    'a route to both',
    `${BASE.replace('upstream: a', 'upstream: a, models: ["*"]')}models: { m: { versions: [ { name: s, upstream: a } ] } }\n`,
    ['6:16: routes[0].upstream: a route has either "upstream" or "models", not both; take one out'],
  ],
  [
    'all models of none',
    BASE.replace('upstream: a', 'models: ["*"]'),
    ['6:25: routes[0].models[0]: "*" offers all models, but there are none; add them under "models"'],
  ],
  [
    'models',
    `${BASE.replace('upstream: a', 'models: [mm, m, m]')}models: { m: { versions: [ { name: s, upstream: b, weight: 0 }, { name: s, upstream: a, weight: 0 } ] } }\n`,
    [
      '6:25: routes[0].models[0]: no model is named "mm"; did you mean "m"?',
      '6:32: routes[0].models[2]: model "m" stands twice in this route; take one out',
      '7:16: models.m.versions: every version has weight 0, so none could answer; give one a weight',
      '7:49: models.m.versions[0].upstream: no upstream is named "b"; known upstreams: a',
      '7:73: models.m.versions[1].name: two versions of this model are named "s"; rename one',
    ],
  ],
  [
    'two routes of one name',
    `${BASE}  - { name: r, upstream: a, match: { path: /b } }\n`,
    ['7:13: routes[1].name: two routes are named "r"; rename one'],
  ],
  [
    'a host twice',
    BASE.replace('upstream: a', 'upstream: a, match: { host: [a.com, A.com] }'),
    ['6:52: routes[0].match.host[1]: host "A.com" stands twice in this match; take one out'],
  ],
  [
    'a segment that is not matched',
    BASE.replace('upstream: a', 'upstream: a, match: { path: "/u/{id}" }, rewrite: { path: "/v/{di}" }'),
    ['6:74: routes[0].rewrite.path: {di} is not a segment of the match path /u/{id}; did you mean "id"?'],
  ],
  [
    'one address twice',
    BASE.replace(
      'upstreams:',
      '  local: { address: ":8080" }\n  any: { address: "127.0.0.1:0" }\nadmin: { address: "0.0.0.0:8080" }\nupstreams:',
    ),
    [
      '3:21: listeners.local.address: :8080 is taken by listener "public" (127.0.0.1:8080); give one of them another port',
      '5:19: admin.address: 0.0.0.0:8080 is taken by listener "public" (127.0.0.1:8080); give one of them another port',
    ],
  ],
  [
    'a socket path that is a folder',
    BASE.replace('127.0.0.1:8080', 'unix:/run/'),
    [
      '2:22: listeners.public.address: the socket path ends in a folder; add the name of the socket, such as unix:/run/gatehouse.sock',
    ],
  ],
  [
    'endpoints twice',
    BASE.replace('[ {', '[ { url: "HTTP://10.0.0.1".toLowerCase }, {').replace(
      '"HTTP://10.0.0.1".toLowerCase',
      '"http://10.0.0.1"',
    ),
    [
      '4:56: upstreams.a.endpoints[1].url: endpoint http://10.0.0.1:80 stands twice in this upstream; take one out, or give it a higher weight',
    ],
  ],
  [
    'a key without its certificate',
    BASE.replace('{ endpoints', '{ tls: { key: k.pem }, endpoints'),
    [
      '4:15: upstreams.a.tls.key: a key without its certificate; add "certificate" (a PEM file), or take the key out',
      '4:20: upstreams.a.tls.key: cannot use PEM file /etc/gh/k.pem: it does not exist; check the path',
    ],
  ],
  [
    'a variable that is not set',
    `${BASE}workers: \${COUNTS}\nlog: { access: "\${NOPE_X}" }\n`,
    [
      '7:10: workers: environment variable COUNTS is not set; did you mean ${COUNT}?',
      '8:16: log.access: environment variable NOPE_X is not set; set it, or write ${NOPE_X:-fallback}',
    ],
  ],
  [
    'a variable of the wrong kind, not shown',
    `${BASE}workers: \${TOKEN}\n`,
    ['7:10: workers: expected auto or a whole number from 1 to 256, got something else from ${TOKEN}'],
  ],
  [
    'a broken reference',
    `${BASE}log: { access: "\${A B}" }\n`,
    [
      '7:16: log.access: "${A B}" is not a reference; write ${NAME} or ${NAME:-fallback}, and $${ for the characters themselves',
    ],
  ],
  [
    'a file that is not there',
    `${BASE}admin: { address: "file:x" }\n`,
    ['7:19: admin.address: cannot use file /etc/gh/x: it does not exist; check the path'],
  ],
  [
    'a variable that names a file is text',
    `${BASE}log: { access: "\${FILE}" }\n`,
    ['7:16: log.access: expected stdout, off or an absolute file path, got something else from ${FILE}'],
  ],
];

for (const [what, text, told] of WRONG) {
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
      '5:3: upstreams.b: warning: no route or model uses this upstream; take it out, or name it in one',
      '6:11: models.m: warning: no route offers this model; add it to the "models" of a route, or take it out',
    ],
  ],
  [
    'a route behind its equal',
    `${BASE.replace('upstream: a', 'upstream: a, match: { host: [b, a], method: [GET] }')}  - { name: s, upstream: a, match: { method: GET, host: [A, b] } }\n`,
    [
      '7:29: routes[1].match: warning: never gets a request: route "r" before it takes all that match the same; take it out, or match more',
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
  assert.equal(result.text, text);
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
  assert.deepEqual(lines(loadConfig('.', { env: {}, cwd: '/' })), [
    '.:1:1: cannot be read: it is a folder; name a file',
  ]);
});
