/** The checker checked: each rule finds its bad sample, and leaves the good twin alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tidyTexts } from './tree.ts';

interface Sample {
  title: string;
  path: string;
  text: string;
  /** Expected findings as `line rule`. */
  expect: string[];
}

const doc = '/** A thing. */\n';
const later = 'TO' + 'DO';
const machine = `/${'work'}/main`;

const samples: Sample[] = [
  // Directions.
  {
    title: 'kernel takes zod in schema.ts',
    path: 'src/kernel/schema.ts',
    text: "import { z } from 'zod';\nz;\n",
    expect: [],
  },
  {
    title: 'kernel takes nothing else',
    path: 'src/kernel/a.ts',
    text: "import { z } from 'zod';\nz;\n",
    expect: ['1 kernel'],
  },
  {
    title: 'kernel, no node',
    path: 'src/kernel/a.ts',
    text: "import net from 'node:net';\nnet;\n",
    expect: ['1 kernel'],
  },
  {
    title: 'down is fine',
    path: 'src/listen/a.ts',
    text: "import '../http/b.ts';\nimport '../kernel/c.ts';\n",
    expect: [],
  },
  { title: 'up is not', path: 'src/http/a.ts', text: "import '../listen/listen.ts';\n", expect: ['1 direction'] },
  {
    title: 'up by type is not',
    path: 'src/http/a.ts',
    text: "import type { A } from '../cli/cli.ts';\nlet a: A;\n",
    expect: ['1 direction'],
  },
  {
    title: 'up by import type',
    path: 'src/http/a.ts',
    text: "let a: import('../cli/cli.ts').A;\n",
    expect: ['1 direction'],
  },
  {
    title: 'up by dynamic import',
    path: 'src/http/a.ts',
    text: "await import('../cli/cli.ts');\n",
    expect: ['1 direction'],
  },
  {
    title: 'up by re-export',
    path: 'src/http/a.ts',
    text: "export * from '../cli/cli.ts';\nlet a = 1;\n",
    expect: ['1 direction'],
  },
  {
    title: 'sideways on row 3',
    path: 'src/listen/a.ts',
    text: "import '../upstream/upstream.ts';\n",
    expect: ['1 direction'],
  },
  {
    title: 'sideways by type',
    path: 'src/route/a.ts',
    text: "import type { A } from '../upstream/upstream.ts';\nlet a: A;\n",
    expect: ['1 direction'],
  },
  { title: 'two policies', path: 'src/policy/ip/ip.ts', text: "import '../geo/geo.ts';\n", expect: ['1 direction'] },
  {
    title: 'sideways on row 2',
    path: 'src/store/a.ts',
    text: "import '../observe/observe.ts';\n",
    expect: ['1 direction'],
  },
  { title: 'ai reads server-sent events', path: 'src/ai/a.ts', text: "import '../http/sse.ts';\n", expect: [] },
  { title: 'http knows no ai', path: 'src/http/a.ts', text: "import '../ai/ai.ts';\n", expect: ['1 direction'] },
  {
    title: 'row 4 assembles',
    path: 'src/gatehouse.ts',
    text: "import './config/config.ts';\nimport './listen/listen.ts';\n",
    expect: [],
  },
  { title: 'the side door', path: 'src/gatehouse.ts', text: "import './listen/secret.ts';\n", expect: ['1 door'] },
  { title: 'a library', path: 'src/listen/a.ts', text: "import '../socket/wire.ts';\n", expect: [] },
  { title: 'a value in prose', path: 'src/route/a.ts', text: "let a = 'say `openai` or `http`';\n", expect: [] },
  { title: 'a door within', path: 'src/gatehouse.ts', text: "import './upstream/health/health.ts';\n", expect: [] },
  { title: "a room's settings", path: 'src/config/a.ts', text: "import '../listen/config.ts';\n", expect: [] },
  {
    title: 'a test keeps to the rows too',
    path: 'src/http/a.test.ts',
    text: "import '../listen/listen.ts';\n",
    expect: ['1 direction'],
  },
  {
    title: 'a test may use the kit and sockets',
    path: 'src/http/a.test.ts',
    text: "import 'node:net';\nimport '../../test/peers.ts';\n",
    expect: [],
  },
  {
    title: 'shipped code may not',
    path: 'src/http/a.ts',
    text: "import '../../test/peers.ts';\n",
    expect: ['1 rooms'],
  },
  { title: 'no such room', path: 'src/utils/a.ts', text: 'let a = 1;\n', expect: ['1 rooms'] },
  {
    title: 'pure rooms, no sockets',
    path: 'src/ai/a.ts',
    text: "import 'node:tls';\nimport 'node:buffer';\n",
    expect: ['1 pure'],
  },
  // Time, chance, environment, console.
  {
    title: 'the clock',
    path: 'src/listen/a.ts',
    text: 'Date.now();\nperformance.now();\nMath.random();\n',
    expect: ['1 clock', '2 clock', '3 clock'],
  },
  {
    title: 'new Date alone',
    path: 'src/listen/a.ts',
    text: 'new Date();\nnew Date(5);\nDate();\n',
    expect: ['1 clock', '3 clock'],
  },
  {
    title: 'timers',
    path: 'src/listen/a.ts',
    text: 'setTimeout(f, 1);\nconst later = setImmediate;\n',
    expect: ['1 clock', '2 clock'],
  },
  {
    title: 'hidden timers',
    path: 'src/listen/a.ts',
    text: "import 'node:timers/promises';\nglobalThis.setTimeout(f);\n",
    expect: ['1 clock', '2 clock'],
  },
  { title: "a socket's own", path: 'src/listen/a.ts', text: 'socket.setTimeout(5);\n', expect: [] },
  {
    title: 'in words only',
    path: 'src/listen/a.ts',
    text: "// Date.now() is banned\nlet a = 'Date.now()';\n",
    expect: [],
  },
  {
    title: 'the environment',
    path: 'src/route/a.ts',
    text: "process.env.HOME;\nprocess['env'];\n",
    expect: ['1 clock', '2 clock'],
  },
  { title: 'the console', path: 'src/route/a.ts', text: "console.log('a');\n", expect: ['1 console'] },
  { title: 'cli may', path: 'src/cli/a.ts', text: 'console.log(Date.now(), process.env.HOME);\n', expect: [] },
  { title: 'the clock itself may', path: 'src/kernel/clock.ts', text: 'setTimeout(f, Date.now());\n', expect: [] },
  // Vendors.
  {
    title: 'a vendor in a string',
    path: 'src/route/a.ts',
    text: "let a = 'https://api.openai.com';\n",
    expect: ['1 vendor'],
  },
  {
    title: 'a vendor in a name',
    path: 'src/route/a.ts',
    text: 'function parseAnthropicBody() {}\n',
    expect: ['1 vendor'],
  },
  { title: 'a vendor in a template', path: 'src/route/a.ts', text: 'let a = `in vllm`;\n', expect: ['1 vendor'] },
  {
    title: 'protocol values',
    path: 'src/route/a.ts',
    text: "let a: 'openai' | 'http' = 'openai';\nlet b = { anthropic: 1 };\n",
    expect: [],
  },
  { title: 'a description', path: 'src/route/a.ts', text: "z.string().describe('As in vLLM.');\n", expect: [] },
  { title: 'ai knows', path: 'src/ai/a.ts', text: "let openaiError = 'vLLM';\n", expect: [] },
  // Style.
  { title: 'no doc comment', path: 'src/route/a.ts', text: 'export function f() {}\n', expect: ['1 doc'] },
  { title: 'a doc comment', path: 'src/route/a.ts', text: `${doc}export function f() {}\n`, expect: [] },
  {
    title: 'a word for the linter between',
    path: 'src/route/a.ts',
    text: `${doc}// biome-ignore x: y\nexport class A {}\n`,
    expect: [],
  },
  {
    title: 'the comment of another',
    path: 'src/route/a.ts',
    text: `${doc}export type A = 1;\nexport type B = 2;\n`,
    expect: ['3 doc'],
  },
  { title: 'a plain comment', path: 'src/route/a.ts', text: '// No.\nexport const a = 1;\n', expect: ['2 doc'] },
  { title: 'default export', path: 'src/route/a.ts', text: 'export default 1;\n', expect: ['1 doc'] },
  { title: 'any', path: 'src/route/a.ts', text: "let a: any;\nlet any = 'any';\n", expect: ['1 any'] },
  {
    title: 'later',
    path: 'src/route/a.ts',
    text: `// ${later} that\n/* a\n * stub for ${'now'} */\nlet a = 'for nowhere';\n`,
    expect: ['1 later', '3 later'],
  },
  { title: 'too long', path: 'src/route/a.ts', text: 'a;\n'.repeat(301), expect: ['300 length'] },
  { title: 'just long enough', path: 'src/route/a.ts', text: 'a;\n'.repeat(300), expect: [] },
  {
    title: 'a barrel',
    path: 'src/route/a.ts',
    text: "export * from './b.ts';\nexport { c } from './c.ts';\n",
    expect: ['1 barrel'],
  },
  { title: 'a machine path', path: 'src/route/a.ts', text: `let a = '${machine}';\n`, expect: ['1 path'] },
  { title: 'a machine path in prose', path: 'docs/a.md', text: `# A\ncd ${machine}\n`, expect: ['2 path'] },
  {
    title: 'no machine path',
    path: 'docs/a.md',
    text: 'see docs/work/a and https://example.com/work/a and ./tmp/a\n',
    expect: [],
  },
];

for (const { title, path, text, expect } of samples) {
  test(`${title}: ${expect.join(', ') || 'clean'}`, () => {
    const found = tidyTexts(new Map([[path, text]])).map(({ line, rule }) => `${line} ${rule}`);
    assert.deepEqual(found, expect);
  });
}

test('a cycle is told once, with its way round', () => {
  const found = tidyTexts(
    new Map([
      ['src/route/a.ts', "import './b.ts';\n"],
      ['src/route/b.ts', "import './c.ts';\n"],
      ['src/route/c.ts', "import type { A } from './a.ts';\nlet a: A;\n"],
      ['src/route/d.ts', "import './a.ts';\n"],
    ]),
  );
  assert.deepEqual(
    found.map(({ path, line, rule }) => `${path}:${line} ${rule}`),
    ['src/route/a.ts:1 cycle'],
  );
  assert.match(found[0]?.advice ?? '', /a\.ts → src\/route\/b\.ts → src\/route\/c\.ts → src\/route\/a\.ts/);
});

test('text that is no TypeScript is refused with its place', () => {
  assert.throws(() => tidyTexts(new Map([['src/route/a.ts', 'let a = ;\n']])), /src\/route\/a\.ts:1: /);
});
