/** Time, chance, environment and console only where they are owned; vendors' names only where they are known. */
import { roomOf } from './rooms.ts';
import { type Finding, isTest, type Node, type Source, walk } from './source.ts';

const TIMERS = new Set(['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval']);

/** object.property → what to do instead. */
const MEMBERS: Readonly<Record<string, string>> = {
  'Date.now': 'take a Clock and call wall() for stamps or now() for durations',
  'performance.now': 'take a Clock and call now()',
  'process.hrtime': 'take a Clock and call now()',
  'Math.random': 'take a Clock and call random()',
  'process.env': 'take the value as an argument; config/ and cli/ read the environment',
};

/** Rooms that own the clock, the environment and the terminal. */
const FREE_ROOMS = new Set(['cli', 'config', 'simulate']);

/** Files that may do what the clock rule forbids, with the reason. */
const CLOCK_FILES: Readonly<Record<string, string>> = {
  'src/kernel/clock.ts': 'is the clock',
  'src/observe/process.ts': 'measures the event loop itself, which no clock that is passed in can',
};

/** Names of vendors and their products; matched without regard to case. */
const VENDOR =
  /openai|anthropic|claude|vllm|ollama|deepseek|gemini|mistral|cohere|bedrock|azure|groq|chatgpt|openrouter/i;

/** The values of `protocol:` in the configuration; fine alone, as a literal, type or table key. */
const PROTOCOLS = new Set(['openai', 'anthropic']);
/** The same in prose, marked as values. */
const QUOTED_PROTOCOL = /`(openai|anthropic)`/g;

/** Files that may name vendors, with the reason. */
const VENDOR_FILES: Readonly<Record<string, string>> = {
  'src/cli/demo.ts': 'prints a snippet for a real client, which is told by its name',
  'src/cli/simulate.ts': 'tells which APIs the stand-in speaks',
};

/** Banned calls and names in one file under src/. */
export function checkBanned(source: Source): Finding[] {
  const room = roomOf(source.path);
  if (room === '' || isTest(source.path)) return [];
  const findings: Finding[] = [];
  const add = (node: Node, rule: string, advice: string) =>
    findings.push({ path: source.path, line: source.lineOf(node.start), rule, advice });
  const ownsClock = FREE_ROOMS.has(room) || source.path in CLOCK_FILES;
  const knowsVendors = room === 'ai' || room === 'simulate' || source.path in VENDOR_FILES;
  walk(source.program, (node, parent) => {
    if (!ownsClock) checkClock(node, parent, add);
    if (!knowsVendors) checkVendor(node, parent, source, add);
  });
  if (!ownsClock) {
    for (const { specifier, line } of source.imports) {
      if (/^node:(timers|perf_hooks|console)/.test(specifier)) {
        const advice = `${specifier} hides the clock or the terminal: take a Clock, or emit an event`;
        findings.push({ path: source.path, line, rule: 'clock', advice });
      }
    }
  }
  return findings;
}

type Add = (node: Node, rule: string, advice: string) => void;

function checkClock(node: Node, parent: Node | undefined, add: Add): void {
  if (node.type === 'MemberExpression') {
    const object = node.object as Node;
    const property = node.property as Node;
    if (object.type !== 'Identifier') return;
    const path = `${object.name}.${property.name ?? property.value}`;
    const advice = MEMBERS[path];
    if (advice !== undefined) add(node, 'clock', `${path}: ${advice}`);
    else if (object.name === 'console') add(node, 'console', `${path}: emit a notice event; observe/ writes it`);
    else if (object.name === 'globalThis' && TIMERS.has(String(property.name)))
      add(node, 'clock', `${path}: take a Clock and call after() or every()`);
  } else if (node.type === 'NewExpression' || node.type === 'CallExpression') {
    const callee = node.callee as Node;
    const bare = (node.arguments as Node[]).length === 0 || node.type === 'CallExpression';
    if (callee.type === 'Identifier' && callee.name === 'Date' && bare)
      add(node, 'clock', 'Date without an argument reads the clock: take a Clock, and pass wall() to new Date(…)');
  } else if (node.type === 'Identifier' && TIMERS.has(String(node.name))) {
    const named =
      (parent?.type === 'MemberExpression' && parent.property === node && parent.computed !== true) ||
      ((parent?.type === 'Property' || parent?.type === 'MethodDefinition') && parent.key === node) ||
      parent?.type.startsWith('TS') === true;
    if (!named) add(node, 'clock', `${node.name}: take a Clock and call after() or every()`);
  }
}

function checkVendor(node: Node, parent: Node | undefined, source: Source, add: Add): void {
  let text: string;
  if (node.type === 'Identifier' || node.type === 'PrivateIdentifier') text = String(node.name);
  else if (node.type === 'Literal' && typeof node.value === 'string') text = node.value;
  else if (node.type === 'TemplateElement') text = source.text.slice(node.start, node.end);
  else return;
  const found = VENDOR.exec(text.replace(QUOTED_PROTOCOL, ''));
  if (!found) return;
  const key = parent?.type === 'Property' && parent.key === node;
  if (PROTOCOLS.has(text) && (node.type === 'Literal' || key)) return;
  if (isDescription(node, parent)) return;
  add(node, 'vendor', `"${found[0]}" is a vendor's name: only ai/ and simulate/ know vendors; ask ai/ by protocol`);
}

/** `.describe('…')` is documentation for people, who do know vendors. */
function isDescription(node: Node, parent: Node | undefined): boolean {
  if (node.type !== 'Literal' || parent?.type !== 'CallExpression') return false;
  const callee = parent.callee as Node;
  return callee.type === 'MemberExpression' && (callee.property as Node).name === 'describe';
}
