/** Gatehouse in trials: what an operator would set, everything else at its default. */
import { stringify } from 'yaml';
import { keyOf } from '../trial/crowd.ts';
import { admitted, LAST_CALL_MS, serversOf, type TrialPeer, type TrialSetup, writeWhole } from './trial.ts';

/** Gatehouse run by a Node binary; SIGHUP to the supervisor reloads. */
export function gatehouseTrial(node: string, cli: string): TrialPeer {
  return {
    about:
      'workers: 1, reload by SIGHUP; health checks, 3 attempts, POST included; overload.requests; maxConcurrency and queue',
    reload: 'SIGHUP',
    configure(setup) {
      const file = `${setup.folder}/gatehouse.yaml`;
      writeWhole(file, stringify(trialConfiguration(setup)));
      return { command: node, args: [cli, 'serve', '-c', file] };
    },
  };
}

/** The configuration of one trial at one turn. */
export function trialConfiguration(setup: TrialSetup): object {
  const { kind, port, spare, turn } = setup;
  const failover = {
    health: { path: '/health', interval: '500ms', timeout: '400ms', unhealthyAfter: 2, healthyAfter: 1 },
    retries: { attempts: 3, nonIdempotent: true, statuses: [502, 503, 504] },
    timeouts: { connect: '1s' },
  };
  return {
    listeners: { public: { address: `127.0.0.1:${port}` } },
    admin: { address: `127.0.0.1:${spare[0]}` },
    workers: 1,
    log: { access: 'off' },
    ...(kind === 'overload' && { overload: { requests: admitted(setup) } }),
    upstreams: {
      servers: {
        host: `turn-${turn}`,
        endpoints: serversOf(setup).map((server) => {
          const places = kind === 'queue' ? { maxConcurrency: setup.slots } : {};
          return { url: `http://127.0.0.1:${server}`, ...places };
        }),
        ...(kind === 'queue' && { queue: { wait: `${LAST_CALL_MS}ms` } }),
        ...(kind === 'failover' && failover),
      },
    },
    ...(kind === 'queue' && {
      access: { keys: setup.tenants.map((tenant) => ({ name: tenant, key: keyOf(tenant), tenant })) },
    }),
    routes: [{ name: 'inference', match: { path: '/v1/*' }, upstream: 'servers', ...(kind === 'queue' && QUEUED) }],
  };
}

/** Clients say of which class they are, and prove whose they are. */
const QUEUED = { priority: 'realtime', priorityHeader: 'x-priority', access: { anyOf: ['apiKey'] } };
