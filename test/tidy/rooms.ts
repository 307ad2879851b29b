/** The rooms of src/ and what may lean on what (ARCHITECTURE.md, decisions/002). */
import { type Finding, isTest, type Source } from './source.ts';

/** Room → row. Imports point to a lower row only; rooms of row 4 assemble the house and may know each other. */
export const ROWS: Readonly<Record<string, number>> = {
  kernel: 0,
  http: 1,
  ai: 1,
  store: 2,
  certificate: 2,
  observe: 2,
  socket: 2,
  listen: 3,
  policy: 3,
  route: 3,
  upstream: 3,
  release: 3,
  egress: 3,
  simulate: 3,
  gatehouse: 4,
  config: 4,
  supervisor: 4,
  admin: 4,
  cli: 5,
};

/** Same row, one direction, with its reason. */
const ALSO: Readonly<Record<string, { room: string; reason: string }>> = {
  ai: {
    room: 'http',
    reason: 'model streams are server-sent events, and calls of models are told by their path: http/ reads both',
  },
};

/** What pure rooms may take from Node: values and text, no socket, file, process or clock. */
const PURE_BUILTINS = new Set(['node:buffer', 'node:crypto', 'node:string_decoder', 'node:util', 'node:zlib']);

/** Files that other rooms may import although they are no door: path → reason. */
const SIDE_DOORS: Readonly<Record<string, string>> = {
  'src/route/model.ts': 'route/ decides two things, routes and versions of models; each has its own file',
  'src/upstream/forward.ts': 'one try after another is a thing of its own beside the set of upstreams',
  'src/upstream/plan.ts': 'what the assembly decides for a request: the contract between pipeline and upstream',
  'src/listen/intake.ts': 'what all listeners of a worker may take together, which only the assembly knows',
  'src/listen/runtime.ts': 'what the pipeline does with what comes in: the contract between listeners and pipeline',
  'src/listen/tlsshared.ts': 'what the supervisor sends to the TLS listeners of a worker while it runs',
  'src/policy/access/jwt/authority.ts':
    'keys of issuers are fetched, and DPoP proofs claimed, in the supervisor, for all workers',
  'src/policy/chaos/board.ts': 'which faults run is decided beside the data path, in the supervisor',
  'src/upstream/resolve.ts': 'names are resolved beside the data path, and the results handed in',
  'src/upstream/health/agents.ts': 'the one asker of agents runs in the supervisor, for all workers',
  'src/upstream/address.ts': 'the names of endpoints, which supervisor and workers must spell alike',
  'src/upstream/health/prober.ts': 'the one prober runs in the supervisor, for all workers',
  'src/observe/prometheus.ts': 'the text format, which the admin port writes and the rest of the room never needs',
  'src/supervisor/messages.ts':
    'the messages between the two kinds of process; a worker needs them without the supervisor',
  'src/supervisor/link.ts': "the worker's end of the channel",
  'src/admin/handle.ts': 'the narrow handle that the assembly fills in',
};

/** Rooms up to this row are libraries: every file is a door. */
const LIBRARY_ROW = 2;

/** Room of a file, `policy/NAME` for each policy, '' outside src/. */
export function roomOf(path: string): string {
  const [top, first = '', second] = path.split('/');
  if (top !== 'src') return '';
  if (second === undefined) return first.replace(/(\.test)?\.ts$/, '');
  if (first !== 'policy') return first;
  return second.endsWith('.ts') ? 'policy' : `policy/${second}`;
}

const rowOf = (room: string): number | undefined => ROWS[room.split('/')[0] ?? ''];

/** A folder's door is the file that bears its name; `config.ts` is open too. */
function isDoor(path: string, row: number): boolean {
  const parts = path.split('/');
  const file = parts.at(-1);
  return (
    row <= LIBRARY_ROW ||
    parts.length === 2 ||
    file === 'config.ts' ||
    file === `${parts.at(-2)}.ts` ||
    path in SIDE_DOORS
  );
}

/** Import directions, doors, and what kernel and the pure rooms may take from outside. */
export function checkRooms(source: Source): Finding[] {
  const room = roomOf(source.path);
  if (room === '') return [];
  const findings: Finding[] = [];
  const add = (line: number, rule: string, advice: string) => findings.push({ path: source.path, line, rule, advice });
  const row = rowOf(room);
  if (row === undefined) {
    add(1, 'rooms', `src/${room} is no room: put the file into one of ${Object.keys(ROWS).join(', ')}`);
    return findings;
  }
  const test = isTest(source.path);
  for (const { specifier, target, line } of source.imports) {
    if (target === undefined) {
      if (!test) checkOutside(source.path, row, specifier, (rule, advice) => add(line, rule, advice));
      continue;
    }
    const other = roomOf(target);
    if (other === room) continue;
    if (other === '') {
      if (!test) add(line, 'rooms', `${target} is outside src/: code that ships never imports tests or benchmarks`);
      continue;
    }
    const otherRow = rowOf(other);
    if (otherRow === undefined) {
      add(line, 'rooms', `src/${other} is no room: import from one of ${Object.keys(ROWS).join(', ')}`);
    } else if (otherRow > row) {
      add(line, 'direction', `${room} (row ${row}) must not import ${other} (row ${otherRow}): take it as an argument`);
    } else if (otherRow === row && row !== 4 && ALSO[room]?.room !== other) {
      add(
        line,
        'direction',
        `${room} and ${other} share row ${row} and must not know each other: let gatehouse.ts join them, or move what both need down`,
      );
    } else if (!isDoor(target, otherRow)) {
      add(line, 'door', `enter ${other} by its door (${other}/${other.split('/').at(-1)}.ts), not by ${target}`);
    }
  }
  return findings;
}

function checkOutside(path: string, row: number, specifier: string, add: (rule: string, advice: string) => void): void {
  if (row === 0 && !(specifier === 'zod' && path === 'src/kernel/schema.ts')) {
    add('kernel', `kernel imports nothing (zod in schema.ts excepted): move what needs ${specifier} to a higher room`);
  } else if (row === 1 && specifier.startsWith('node:') && !PURE_BUILTINS.has(specifier)) {
    add('pure', `http and ai are pure: ${specifier} belongs to socket, listen or upstream; take bytes as arguments`);
  }
}

/** Import cycles, types included. One finding for each cycle, at its first file by name. */
export function checkCycles(sources: readonly Source[]): Finding[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const done = new Set<string>();
  const findings: Finding[] = [];
  const seen = new Set<string>();
  const visit = (source: Source, trail: string[]): void => {
    if (done.has(source.path)) return;
    const at = trail.indexOf(source.path);
    if (at >= 0) {
      const cycle = trail.slice(at);
      const first = [...cycle].sort()[0] as string;
      const turned = [...cycle.slice(cycle.indexOf(first)), ...cycle.slice(0, cycle.indexOf(first))];
      const key = turned.join(' → ');
      if (!seen.has(key)) {
        seen.add(key);
        const next = turned[1] ?? first;
        const line = byPath.get(first)?.imports.find((one) => one.target === next)?.line ?? 1;
        const advice = `import cycle ${key} → ${first}: move what both need into a third file`;
        findings.push({ path: first, line, rule: 'cycle', advice });
      }
      return;
    }
    for (const { target } of source.imports) {
      const next = target === undefined ? undefined : byPath.get(target);
      if (next) visit(next, [...trail, source.path]);
    }
    done.add(source.path);
  };
  for (const source of sources) visit(source, []);
  return findings;
}
