/**
 * The load generator: a process of its own. A run is `closed` (each connection sends its next request when the last is
 * answered), `paced` (requests at a fixed rate over some connections), `streams` (each connection holds one stream open)
 * or `open` (requests arrive at random, whatever has become of the others). It checks every answer; whatever is wrong is counted by its name.
 */
import type { Call, LoadOrder, LoadReport, Target } from './channel.ts';
import { Connection, type Watcher } from './client.ts';
import { openRun } from './open.ts';
import { noOutcomes, type Outcome } from './outcome.ts';
import { runPairs } from './pairs.ts';
import { Requests } from './requests.ts';

const MOST_LATENCIES = 1_000_000;

interface Run extends Watcher {
  start(): void;
  stop(): void;
  /** Ends the arrivals; what is pending is awaited. */
  halt?(): void;
  pending?(): number;
}

let run: Run | undefined;
let report = emptyReport();

function emptyReport(): LoadReport {
  return { requests: 0, events: 0, errors: {}, latencies: [], outcomes: noOutcomes(), calls: [], openStreams: 0 };
}

function blame(what: string): void {
  report.errors[what] = (report.errors[what] ?? 0) + 1;
}

function ended(outcome: Outcome, us: number, call?: Call): void {
  report.outcomes[outcome]++;
  if (call !== undefined) report.calls.push(call);
  if (outcome === 'right' && report.latencies.length < MOST_LATENCIES) report.latencies.push(us);
}

function probe(target: Target): void {
  const requests = new Requests(target, false);
  const timeout = setTimeout(() => answer({ status: 0, head: 'no answer within 5 s', body: '' }), 5000);
  const answer = (report: { status: number; head: string; body: string }) => {
    clearTimeout(timeout);
    connection.close();
    process.send?.(report);
  };
  const watcher: Watcher = {
    answered: ({ reader }) => answer({ status: 200, head: reader.head, body: Buffer.concat(reader.body).toString() }),
    progressed() {},
    failed: ({ reader }, what) =>
      answer({
        status: reader.status,
        head: what === `status ${reader.status}` ? reader.head : what,
        body: Buffer.concat(reader.body).toString(),
      }),
  };
  const connection = new Connection(target, watcher, false, (ready) => ready.send(requests.next()));
  connection.reader.keepBody = true;
}

function closedRun(order: Extract<LoadOrder, { do: 'closed' }>): Run {
  const open = new Set<Connection>();
  const requests = new Requests(order.target, false, order.keepAlive);
  let stopped = false;
  let sent = 0;
  const send = (connection: Connection) => {
    if (stopped || sent >= order.most) return;
    sent++;
    connection.send(requests.next());
  };
  const add = () => {
    if (!stopped && sent < order.most) open.add(new Connection(order.target, self, false, send));
  };
  const self: Run = {
    start() {
      for (let count = 0; count < order.connections; count++) add();
    },
    stop() {
      stopped = true;
      for (const connection of open) connection.close();
    },
    answered(connection) {
      report.requests++;
      if (order.keepAlive && !connection.lastAnswer) return send(connection);
      connection.close();
      open.delete(connection);
      add();
    },
    progressed() {},
    failed(connection, what) {
      open.delete(connection);
      if (stopped) return;
      blame(what);
      setTimeout(add, 10); // a peer that refuses everything must not make this process spin
    },
  };
  return self;
}

function pacedRun(order: Extract<LoadOrder, { do: 'paced' }>): Run {
  const open = new Set<Connection>();
  const idle: Connection[] = [];
  const due: number[] = [];
  const wanted = order.events;
  const requests = new Requests(order.target, wanted > 0);
  let stopped = false;
  let startedAt = 0;
  let sent = 0;
  let timer: NodeJS.Timeout | undefined;
  const send = (connection: Connection, at: number) => {
    connection.dueAt = at;
    connection.send(requests.next());
  };
  const free = (connection: Connection) => {
    const waiting = due.shift();
    if (waiting === undefined) idle.push(connection);
    else send(connection, waiting);
  };
  const add = () => {
    if (!stopped) open.add(new Connection(order.target, self, wanted > 0, free));
  };
  const tick = () => {
    const now = performance.now();
    const count = Math.floor(((now - startedAt) / 1000) * order.perSecond);
    for (; sent < count; sent++) {
      const connection = idle.pop();
      // Late ticks of this process are its own fault, so a request counts from here; one that has to wait for a free
      // connection counts from when it was due.
      if (connection) send(connection, performance.now());
      else due.push(now);
    }
  };
  const record = (connection: Connection) => {
    if (report.latencies.length < MOST_LATENCIES) report.latencies.push((performance.now() - connection.dueAt) * 1000);
  };
  const self: Run = {
    start() {
      for (let count = 0; count < order.connections; count++) add();
      startedAt = performance.now();
      timer = setInterval(tick, 1);
    },
    stop() {
      stopped = true;
      clearInterval(timer);
      for (const connection of open) connection.close();
    },
    answered(connection) {
      report.requests++;
      if (wanted === 0) record(connection);
      else if (connection.reader.events !== wanted) blame(`${connection.reader.events} events instead of ${wanted}`);
      if (!connection.lastAnswer) return free(connection);
      connection.close();
      open.delete(connection);
      add();
    },
    progressed(connection, count) {
      report.events += count;
      if (connection.sawFirst) return;
      connection.sawFirst = true;
      record(connection);
    },
    failed(connection, what) {
      open.delete(connection);
      const at = idle.indexOf(connection);
      if (at >= 0) idle.splice(at, 1);
      if (stopped) return;
      if (what !== 'closed while idle') blame(what);
      setTimeout(add, 10);
    },
  };
  return self;
}

function streamsRun(order: Extract<LoadOrder, { do: 'streams' }>): Run {
  const open = new Set<Connection>();
  let stopped = false;
  const requests = new Requests(order.target, true);
  let opened = 0;
  const add = () => {
    opened++;
    open.add(new Connection(order.target, self, true, (connection) => connection.send(requests.next())));
  };
  // At most 64 are on their way to their first event at once, so that no accept queue runs over.
  const addSome = () => {
    while (!stopped && opened < order.streams && opened - report.openStreams < 64) add();
  };
  const self: Run = {
    start() {
      addSome();
    },
    stop() {
      stopped = true;
      for (const connection of open) connection.close();
    },
    answered: () => blame('stream ended'),
    progressed(connection, count) {
      report.events += count;
      if (connection.sawFirst) return;
      connection.sawFirst = true;
      report.openStreams++;
      addSome();
      if (connection.reader.status !== 200) blame(`status ${connection.reader.status}`);
    },
    failed(connection, what) {
      open.delete(connection);
      if (!stopped) blame(what);
    },
  };
  return self;
}

/** Answers with the counts, at once or as soon as awaited events and pending requests have come (10 s at most). */
function finish(expectEvents: number | undefined): void {
  const until = performance.now() + 10_000;
  run?.halt?.();
  const check = () => {
    const missing = (expectEvents ?? 0) > report.events || (run?.pending?.() ?? 0) > 0;
    if (missing && performance.now() < until) {
      setTimeout(check, 20);
      return;
    }
    run?.stop();
    run = undefined;
    process.send?.(report);
  };
  check();
}

function begin(next: Run): void {
  report = emptyReport();
  run = next;
  run.start();
  process.send?.(report);
}

process.on('message', (order: LoadOrder) => {
  switch (order.do) {
    case 'probe':
      return probe(order.target);
    case 'closed':
      return begin(closedRun(order));
    case 'paced':
      return begin(pacedRun(order));
    case 'streams':
      return begin(streamsRun(order));
    case 'open':
      return begin(openRun(order, { ended, blame }));
    case 'pairs':
      void runPairs(order).then((pairs) => process.send?.(pairs));
      return;
    case 'mark': {
      // Errors of the warm-up stay: an error is never lost.
      const { errors, openStreams } = report;
      report = { ...emptyReport(), errors, openStreams };
      process.send?.(report);
      return;
    }
    case 'count':
      process.send?.(report);
      return;
    case 'finish':
      return finish(order.expectEvents);
  }
});
process.on('disconnect', () => process.exit());
