import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatProblem, loadConfig } from './config.ts';

function folder(files: Record<string, string>): string {
  const path = mkdtempSync(join(tmpdir(), 'gatehouse-fragments-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

const BASE = 'listeners: { public: { address: "127.0.0.1:8080" } }\nadmin: { address: "127.0.0.1:0" }\n';
const customer = (name: string) => `upstreams: { ${name}: { endpoints: [ { url: "http://10.0.0.1:80" } ] } }
routes:
  - { name: ${name}, match: { path: /${name}/* }, upstream: ${name} }
`;

const problems = (path: string): string[] => {
  const result = loadConfig(path);
  return result.ok ? [] : result.problems.map((one) => formatProblem(one).replace(`${path}/`, ''));
};

test('a folder: mappings are joined by name, routes in the order of the files', () => {
  const path = folder({
    '00-base.yaml': BASE,
    'b.yml': customer('b'),
    'a.json': '{"models": {}}',
    'c.yaml': customer('c'),
  });
  writeFileSync(join(path, '.hidden.yaml'), 'nonsense: [');
  writeFileSync(join(path, 'notes.txt'), 'nonsense: [');
  const result = loadConfig(path);
  assert.ok(result.ok, result.ok ? '' : result.problems.map(formatProblem).join('\n'));
  assert.deepEqual(Object.keys(result.config.upstreams), ['b', 'c']);
  assert.deepEqual(
    result.config.routes.map(({ name }) => name),
    ['b', 'c'],
  );
  assert.deepEqual(result.sources, [path, ...['00-base.yaml', 'a.json', 'b.yml', 'c.yaml'].map((n) => join(path, n))]);
});

const wrong: [string, Record<string, string>, RegExp[]][] = [
  [
    'a name twice',
    { 'a.yaml': BASE + customer('a'), 'b.yaml': `# ours\n${customer('a').replace('name: a', 'name: b')}` },
    [/^b\.yaml:2:14: upstreams\.a: stands in two files, first in .*a\.yaml:3; keep one/],
  ],
  [
    'a setting twice',
    { 'a.yaml': BASE + customer('a'), 'b.yaml': 'workers: 1\n', 'c.yaml': '\nworkers: 1\n' },
    [/^c\.yaml:2:1: workers: stands in two files, first in .*b\.yaml:1/],
  ],
  [
    'a wrong value in the second file',
    { 'a.yaml': BASE + customer('a'), 'b.yaml': 'workers: many\n' },
    [/^b\.yaml:1:10: workers: expected auto/],
  ],
  [
    'a reference to what no file has',
    { 'a.yaml': BASE + customer('a'), 'b.yaml': customer('b').replace('upstream: b }', 'upstream: z }') },
    [/^b\.yaml:3:\d+: routes\[1\]\.upstream: no upstream is named "z"/],
  ],
  ['no YAML in one', { 'a.yaml': BASE + customer('a'), 'b.yaml': 'a: [\n' }, [/^b\.yaml:2:1: .*not valid YAML/]],
  ['an empty folder', {}, [/this folder has no \.yaml, \.yml or \.json file/]],
];

for (const [what, files, patterns] of wrong) {
  test(`a folder is refused: ${what}`, () => {
    const found = problems(folder(files));
    for (const pattern of patterns)
      assert.ok(
        found.some((line) => pattern.test(line)),
        found.join('\n'),
      );
  });
}

test('a fragment that is no file any more is told by its name', () => {
  const path = folder({ 'a.yaml': BASE + customer('a') });
  symlinkSync(join(path, 'gone'), join(path, 'b.yaml'));
  assert.match(problems(path).join('\n'), /^b\.yaml:1:1: cannot be read: it does not exist/);
  mkdirSync(join(path, 'c.yaml'));
  assert.match(problems(path).join('\n'), /b\.yaml/);
});
