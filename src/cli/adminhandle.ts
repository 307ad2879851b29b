/** What the admin API may ask, answered from the supervisor's memory. */
import type { AdminHandle, AdminStatus } from '../admin/admin.ts';
import type { FaultStatus, LevelStatus, WorkerStatus } from '../admin/handle.ts';
import type { Config } from '../config/config.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Overview } from '../observe/observe.ts';
import { type ChaosBoard, describe, type RunningFault } from '../policy/chaos/board.ts';
import type { Store } from '../store/store.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { endpointName } from '../upstream/address.ts';
import type { NodeUsage } from './nodeusage.ts';
import { VERSION } from './version.ts';

/** What the supervisor itself does not hold. */
export interface GatewayState {
  /** Why the newest configuration was refused; empty when it was not. */
  configError(): string;
  /** How many workers hold out the endpoint `UPSTREAM\nENDPOINT`. */
  ejectedBy(key: string): number;
  preview: AdminHandle['preview'];
  reload: AdminHandle['reload'];
  upgrade: AdminHandle['upgrade'];
  upgrading: AdminHandle['upgrading'];
  /** The levels of an upstream; undefined where there is only one. */
  levels(upstream: string): LevelStatus[] | undefined;
  readonly chaos: ChaosBoard;
  documents(): Promise<Store>;
  readonly usage: NodeUsage;
  queues: NonNullable<AdminHandle['queues']>;
}

/** Makes the handle. `measure` brings the supervisor's own metrics up to date. */
export function adminHandle(
  supervisor: Supervisor<Config>,
  overview: Overview,
  measure: () => void,
  clock: Clock,
  state: GatewayState,
): AdminHandle {
  const startedAt = clock.now();
  return {
    metrics(openMetrics) {
      measure();
      return overview.render(openMetrics);
    },
    config: () => supervisor.snapshot.config,
    settings: () => supervisor.snapshot.config.admin,
    documents: {
      store: () => state.documents(),
      pepper: () => supervisor.snapshot.config.access.pepper[0] ?? '',
      names: () => namesOf(supervisor.snapshot.config),
    },
    ledger: () => state.usage.ledger,
    currency: () => supervisor.snapshot.config.prices.currency,
    limits: state.usage.desk,
    preview: () => state.preview(),
    reload: () => state.reload(),
    upgrade: () => state.upgrade(),
    upgrading: () => state.upgrading(),
    chaos: {
      list: () => faultsOf(supervisor.snapshot.config, state.chaos, clock),
      start(order) {
        const { routes } = supervisor.snapshot.config;
        const result = state.chaos.start(
          order,
          routes.map(({ name }) => name),
        );
        return result.ok ? { ok: true, value: runningStatus(result.started, clock) } : result;
      },
      stop: (name) => state.chaos.stop(name),
    },
    queues: () => state.queues(),
    breakers: {
      list: () => supervisor.endpoints.breakers(),
      force: (upstream, endpoint, to) => supervisor.endpoints.force(upstream, endpoint, to),
    },
    health() {
      const { workers, crashLoop } = supervisor.status();
      const ready = workers.some((worker) => worker.state === 'ready');
      const reasons = [];
      if (!ready) reasons.push('no worker is ready');
      if (crashLoop) reasons.push('workers keep dying soon after their start');
      return { live: true, ready: reasons.length === 0, reasons };
    },
    status() {
      const { generation, workers, listeners } = supervisor.status();
      const { config } = supervisor.snapshot;
      const error = state.configError();
      const status: AdminStatus = {
        version: VERSION,
        node: process.version,
        pid: process.pid,
        uptimeMs: Math.round(clock.now() - startedAt),
        generation,
        workers: workers.flatMap(({ worker, pid, state, generation, ageMs, restarts }) =>
          state === 'ended' ? [] : [workerStatus({ worker, pid, state, generation, ageMs, restarts }, overview)],
        ),
        listeners: listeners.map(({ listener, address }) => {
          return { name: listener, address, tls: config.listeners[listener]?.tls !== undefined };
        }),
        upstreams: upstreamsOf(config, supervisor, state),
      };
      if (error) status.configError = error;
      const faults = faultsOf(config, state.chaos, clock);
      if (faults.length > 0) status.chaos = faults;
      return status;
    },
  };
}

function workerStatus(
  {
    worker,
    pid,
    state,
    generation,
    ageMs,
    restarts,
  }: Omit<WorkerStatus, 'id' | 'uptimeMs' | 'load'> & { worker: number; ageMs: number },
  overview: Overview,
): WorkerStatus {
  const id = String(worker);
  return { id, pid, state, uptimeMs: Math.round(ageMs), generation, restarts, load: overview.load(id) };
}

function namesOf({ plans, listeners, access, tokens }: Config) {
  const serving = Object.entries(listeners).filter(([, { tls }]) => tls?.domains?.store === true);
  return {
    plans: Object.keys(plans),
    keys: access.keys.map(({ id }) => id),
    clients: tokens?.clients.map(({ id }) => id) ?? [],
    listeners: Object.keys(listeners),
    serving: serving.map(([name]) => name),
  };
}

function runningStatus({ rule, endsInMs }: RunningFault, clock: Clock): FaultStatus {
  const endsAt = new Date(clock.wall() + endsInMs).toISOString();
  return { name: rule.name, what: describe(rule), by: 'admin', endsAt, endsInMs: Math.round(endsInMs) };
}

function faultsOf(config: Config, board: ChaosBoard, clock: Clock): FaultStatus[] {
  const { rules, byHeader } = config.chaos;
  const asked: FaultStatus[] = byHeader
    ? [{ name: 'header', what: 'whatever requests ask for (chaos.byHeader)', by: 'configuration' }]
    : [];
  return [
    ...board.running().map((running) => runningStatus(running, clock)),
    ...rules.map((rule): FaultStatus => ({ name: rule.name, what: describe(rule), by: 'configuration' })),
    ...asked,
  ];
}

function upstreamsOf(config: Config, supervisor: Supervisor<Config>, state: GatewayState): AdminStatus['upstreams'] {
  const { endpoints: desk } = supervisor;
  const byKey = <T extends { upstream: string; endpoint: string }>(all: T[]) =>
    new Map(all.map((one) => [`${one.upstream}\n${one.endpoint}`, one]));
  const known = byKey(desk.health());
  const breakers = byKey(desk.breakers());
  const agents = byKey(desk.agents());
  return Object.entries(config.upstreams).map(([name, { protocol, balance, endpoints, health }]) => ({
    name,
    protocol,
    balance: typeof balance === 'string' ? balance : balance.policy,
    endpoints: endpoints.map((endpoint) => {
      const key = `${name}\n${endpointName(endpoint)}`;
      const found = known.get(key);
      const breaker = breakers.get(key);
      const agent = agents.get(key);
      return {
        name: endpointName(endpoint),
        url: endpoint.url,
        weight: endpoint.weight,
        healthy: found?.healthy ?? true,
        reason: found?.reason ?? (health ? 'not probed yet' : 'no health check configured'),
        // What the prober keeps out, every worker keeps out; only the rest is passive marking.
        ejectedBy: found?.healthy === false ? 0 : state.ejectedBy(key),
        breaker: breaker?.state ?? 'closed',
        ...(breaker === undefined ? {} : { breakerReason: breaker.reason }),
        ...(breaker?.forced ? { breakerForced: true as const } : {}),
        ...(agent === undefined ? {} : { agent: agent.reason }),
      };
    }),
    ...levelsOf(name, state),
  }));
}

function levelsOf(upstream: string, state: GatewayState): { levels?: LevelStatus[] } {
  const levels = state.levels(upstream);
  return levels === undefined ? {} : { levels };
}
