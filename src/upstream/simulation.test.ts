/**
 * Pool, retries, hedging, breaker and ejection under thousands of random schedules of clients, servers and network, with
 * time and chance in hand. A failure names the seed of its schedule: `SIMULATION_SEED=N SIMULATION_RUNS=1` replays it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FieldSection } from '../http/fields.ts';
import { ManualClock } from '../kernel/clock.ts';
import { GatehouseError } from '../kernel/error.ts';
import { Events } from '../kernel/event.ts';
import { Exchange, type Inbound, type InboundSink, LENGTH_NONE, type RequestHead } from '../kernel/exchange.ts';
import { Deadlines } from '../socket/deadlines.ts';
import { upstreamConfig } from './config.ts';
import { Forward } from './forward.ts';
import { Dice, Network, type Weather } from './network.fixture.ts';
import type { ForwardEnd } from './plan.ts';
import { Upstream } from './upstream.ts';

const RUNS = Number(process.env.SIMULATION_RUNS ?? 2000);
const SEED = Number(process.env.SIMULATION_SEED ?? Math.floor(Math.random() * 1e9));

/** A client: sends its body in pieces, reads with pauses, and may leave. */
class Client implements Inbound {
  readonly clientAddress = '192.0.2.1';
  readonly peer = { address: '192.0.2.1', port: 1, trusted: false };
  readonly listener = 'l';
  readonly scheme = 'http';
  status = 0;
  received = '';
  /** How often the answer ended, well or broken. */
  endings = 0;
  ending: 'end' | 'abort' | undefined;
  readonly #clock: ManualClock;
  readonly #dice: Dice;
  readonly #body: Buffer;
  #sent = 0;
  #paused = false;
  #ended = false;
  #sink: InboundSink | undefined;

  constructor(clock: ManualClock, dice: Dice, body: Buffer) {
    this.#clock = clock;
    this.#dice = dice;
    this.#body = body;
  }

  start(sink: InboundSink): void {
    this.#sink = sink;
    this.#pump();
  }

  #pump(): void {
    if (this.#paused || this.#ended || this.endings > 0 || this.#sink === undefined) return;
    if (this.#sent >= this.#body.length) {
      this.#ended = true;
      this.#sink.onRequestEnd('');
      return;
    }
    const size = 1 + this.#dice.below(this.#body.length);
    const from = this.#sent;
    this.#sent = Math.min(this.#body.length, from + size);
    this.#sink.onRequestData(this.#body, from, this.#sent);
    if (this.#dice.once(3)) this.#clock.after(this.#dice.below(100), () => this.#pump());
    else this.#pump();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#clock.after(0, () => this.#pump());
  }

  interim(): void {}
  closeAfter(): void {}

  head(status: number): void {
    assert.equal(this.status, 0, 'one head');
    this.status = status;
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    this.received += buffer.toString('latin1', start, end);
    if (!this.#dice.once(5)) return true;
    this.#clock.after(this.#dice.below(200), () => {
      if (this.endings === 0) this.#sink?.onInboundDrain();
    });
    return false;
  }

  end(): void {
    this.endings++;
    this.ending = 'end';
  }

  abort(): void {
    this.endings++;
    this.ending = 'abort';
  }

  leave(): void {
    if (this.endings === 0) this.#sink?.onInboundAbort(new GatehouseError('client_closed', 'left'));
  }
}

interface Sent {
  path: string;
  idempotent: boolean;
  client: Client;
  exchange: Exchange;
  outcomes: string[];
}

/** Plays one schedule and checks everything that must hold, whatever happened. */
function play(seed: number): void {
  const dice = new Dice(seed);
  const clock = new ManualClock(undefined, seed);
  const share = () => (dice.once(2) ? 0 : 2 + dice.below(10));
  const weather: Weather = {
    refused: share(),
    silentDial: share(),
    silent: share(),
    error: share(),
    busy: share(),
    cut: share(),
    closes: share(),
  };
  const network = new Network(clock, dice, weather);
  const attempts = 1 + dice.below(4);
  const config = upstreamConfig.parse({
    balance: ['roundRobin', 'leastRequests', 'random', 'hash'][dice.below(4)],
    endpoints: Array.from({ length: 1 + dice.below(4) }, (_, i) => ({ name: `e${i}`, url: `http://10.0.0.${i + 1}` })),
    pool: { connections: 1 + dice.below(8), idle: dice.below(4), idleTimeout: '500ms' },
    timeouts: {
      connect: '300ms',
      firstByte: '1s',
      idle: '1s',
      total: '4s',
      perTry: dice.once(2) ? '700ms' : '0',
    },
    retries: {
      attempts,
      statuses: dice.once(2) ? [429, 502, 503, 504] : [],
      replay: dice.once(2) ? '64KiB' : '10B',
    },
    passive: { consecutiveErrors: 1 + dice.below(4), consecutive5xx: dice.below(4), ejectFor: '500ms' },
    panicThreshold: dice.once(3) ? '60%' : '0%',
    ...(dice.once(2) ? { hedging: { after: '200ms', all: dice.once(4) } } : {}),
    ...(dice.once(3)
      ? {}
      : {
          breaker: {
            consecutiveTimeouts: dice.below(3),
            consecutiveErrors: dice.below(4),
            errorRatio: dice.once(2) ? '50%' : '0%',
            minRequests: 3,
            openFor: '800ms',
          },
        }),
  });
  const events = new Events();
  const deadlines = new Deadlines(clock);
  const upstream = new Upstream('u', config, { clock, events, deadlines, readText: () => '', dial: network.dial });
  const probes = new Map<string, number>();
  events.on('breakerChanged', ({ endpoint, state }) => {
    if (state === 'halfOpen') probes.set(endpoint, 0);
  });
  for (const endpoint of upstream.endpoints) {
    const acquire = endpoint.acquire.bind(endpoint);
    endpoint.acquire = () => {
      const state = endpoint.standing.breaker?.state;
      assert.notEqual(state, 'open', 'nothing is sent while the breaker is open');
      if (state === 'halfOpen') {
        const out = (probes.get(endpoint.id) ?? 0) + 1;
        probes.set(endpoint.id, out);
        assert.equal(out, 1, 'one probe');
      }
      const connection = acquire();
      assert.ok(endpoint.connections <= config.pool.connections, 'no more connections than allowed');
      return connection;
    };
  }

  const all: Sent[] = [];
  const send = (number: number) => {
    const path = `/${number}`;
    const idempotent = dice.once(2);
    const body = Buffer.from(idempotent && dice.once(2) ? '' : 'x'.repeat(1 + dice.below(40)));
    const client = new Client(clock, dice, body);
    const head = { method: idempotent ? 'PUT' : 'POST', get: () => undefined } as unknown as RequestHead;
    const exchange = new Exchange(client, head, body.length === 0 ? LENGTH_NONE : body.length);
    const sent: Sent = { path, idempotent, client, exchange, outcomes: [] };
    all.push(sent);
    const end: ForwardEnd = {
      answer(_, error) {
        sent.outcomes.push('failed');
        client.head(error.status);
        client.end();
      },
      elsewhere: () => false,
      cutEvent: () => '',
      ended: (_, outcome) => void sent.outcomes.push(outcome),
    };
    const plan = {
      upstream,
      hashKey: path,
      target: path,
      host: 'endpoint',
      fields: '',
      body: dice.once(2) ? (body.length === 0 ? undefined : body) : undefined,
      patience: Number.POSITIVE_INFINITY,
      upgrade: '',
      order: (waitedMs: number, patienceMs: number) => ({
        priority: 50,
        tenant: '',
        weight: 1,
        cost: 1,
        waitedMs,
        patienceMs,
        movable: false,
      }),
      tokens: 0,
      shape: () => undefined,
      responseFields: (section: FieldSection, drop: number) => section.lines(drop),
    };
    new Forward(exchange, plan, end);
    if (dice.once(8)) clock.after(dice.below(2000), () => client.leave());
  };
  const count = 5 + dice.below(25);
  for (let i = 0; i < count; i++) clock.after(dice.below(4000), () => send(i));
  for (let step = 0; step < 120; step++) {
    clock.advance(100);
    assert.ok(upstream.budget.retrying <= upstream.budget.active, 'only what is under way is tried again');
    const ejected = upstream.endpoints.filter(({ standing }) => standing.ejected).length;
    assert.ok(ejected <= upstream.endpoints.length * 0.5, 'no more than maxEjected');
  }

  assert.equal(all.length, count);
  for (const { path, idempotent, client, exchange, outcomes } of all) {
    assert.equal(outcomes.length, 1, `${path} ends once: ${outcomes}`);
    assert.equal(client.endings, 1, `${path}: its client hears of it once`);
    assert.ok(exchange.tries <= attempts, `${path}: ${exchange.tries} tries`);
    const received = network.received.filter((one) => one.path === path);
    assert.ok(received.length <= attempts, `${path} was received ${received.length} times`);
    const done = received.filter(({ status }) => status !== 503 && status !== 429);
    if (!idempotent && config.hedging?.all !== true)
      assert.ok(done.length <= 1, `${path} was done ${done.length} times`);
    if (outcomes[0] === 'completed') {
      assert.ok(
        received.some(({ status, body }) => status === client.status && body === client.received),
        `${path}: a whole answer of one server`,
      );
      assert.equal(client.ending, 'end');
    } else if (outcomes[0] !== 'failed') {
      assert.ok(
        received.some(({ body }) => body.startsWith(client.received)) || client.received === '',
        'a part of one answer',
      );
      assert.equal(client.ending, 'abort', `${path}: what was cut has no clean end`);
    }
  }
  assert.deepEqual([upstream.budget.active, upstream.budget.retrying], [0, 0], 'everything is given back');
  for (const { standing, inflight } of upstream.endpoints) {
    assert.equal(inflight, 0);
    assert.notEqual(standing.breaker?.state, 'halfOpen', 'no probe is lost');
  }
  upstream.close();
  clock.advance(5000);
  assert.equal(network.open, 0, 'no connection is left');
  assert.deepEqual(
    upstream.endpoints.map(({ connections }) => connections),
    upstream.endpoints.map(() => 0),
  );
  assert.equal(deadlines.size, 0, 'no deadline is left');
}

test(`simulation: ${RUNS} schedules from seed ${SEED}`, { timeout: 300_000 }, () => {
  for (let i = 0; i < RUNS; i++) {
    try {
      play(SEED + i);
    } catch (error) {
      const replay = `schedule ${SEED + i}: replay with SIMULATION_SEED=${SEED + i} SIMULATION_RUNS=1`;
      throw new Error(`${replay}\n${(error as Error).stack}`);
    }
  }
});
