/** Gatehouse itself: one peer more, started by its command line with a written configuration. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { AUDIENCE, type Caller, type Callers, ISSUER } from '../measure/callers.ts';
import { gatehouseTrial } from './gatehouse-trial.ts';
import { repositoryRoot } from './install.ts';
import { type Peer, type Setup, versionOf } from './peer.ts';
import { eachRoute, HOSTS } from './routes.ts';

const cli = process.env.GATEHOUSE_CLI ?? join(repositoryRoot, 'dist', 'src', 'cli', 'cli.js');

/**
 * Gatehouse on each Node binary named in GATEHOUSE_NODE (separated by `:`), or on the one that runs the bench.
 * The peers are called after the Node version, such as `gatehouse-node20`, so that baselines of different ones stay apart.
 */
export function gatehousePeers(): Peer[] {
  const binaries = (process.env.GATEHOUSE_NODE ?? process.execPath).split(':').filter((binary) => binary !== '');
  return binaries.map((binary) => {
    const version = versionOf(binary, ['--version'], /^v(\d+\.\d+\.\d+)/);
    return gatehouse(binary, version);
  });
}

function gatehouse(node: string, nodeVersion: string | undefined): Peer {
  return {
    name: `gatehouse-node${nodeVersion?.split('.')[0] ?? '?'}`,
    about: `workers: 1, Node ${nodeVersion ?? 'missing'}; supervisor and worker both counted`,
    missing: nodeVersion ? 'npm run build' : `no Node binary at ${node}: set GATEHOUSE_NODE`,
    version() {
      if (!nodeVersion || !existsSync(cli)) return undefined;
      return versionOf(node, [cli, '--version'], /(\d+\.\d+\.\S+)/);
    },
    http2: ({ port }) => port,
    admits: ['apiKey', 'jwt', 'dpop'],
    trial: gatehouseTrial(node, cli),
    configure(setup) {
      const file = `${setup.folder}/gatehouse.yaml`;
      writeFileSync(file, stringify(configuration(setup)));
      return { command: node, args: [cli, 'serve', '-c', file] };
    },
  };
}

/** Who may come in. The nonce of DPoP is off, because the clients of the bench read no answers. */
function access({ by, keys, issuerKey }: Callers & { by: Caller }): object {
  if (by === 'apiKey') return { keys: keys.map((key, at) => ({ name: `caller-${at}`, key })) };
  const issuer = { issuer: ISSUER, audiences: [AUDIENCE], keys: [`file:${issuerKey}`] };
  return { issuers: { bench: issuer }, dpop: { nonce: 'off' } };
}

/** Limits that nobody reaches. */
function limits(on: NonNullable<Setup['limits']>): object[] {
  const requests = [
    { name: 'second', key: 'apiKey', requests: '100000/s' },
    { name: 'minute', key: 'apiKey', requests: '6M/min' },
  ];
  return on === 'requests' ? requests : [...requests, { name: 'tokens', key: 'apiKey', tokens: '6G/min' }];
}

/** The configuration of one scenario; all that it does not name stays at its default. */
export function configuration(setup: Setup): object {
  const { port, spare, upstreamPort, tls, everything, routes, folder, callers, http2 } = setup;
  const tokens = setup.limits === 'tokens';
  const endpoints = [{ url: `http://127.0.0.1:${upstreamPort}` }];
  const list: object[] = [];
  eachRoute(routes, ({ number, host, path }) =>
    list.push({ name: `route-${number}`, match: { host, path: `${path}*` }, upstream: 'bench' }),
  );
  if (list.length === 0) {
    list.push({
      name: 'inference',
      match: { path: '/v1/*', ...(callers && { host: HOSTS.guarded }) },
      ...(everything ? { models: ['bench-model'] } : { upstream: tokens ? 'ai' : 'bench' }),
      ...(setup.limits && { limits: limits(setup.limits) }),
      ...(callers && { access: { anyOf: [callers.by === 'apiKey' ? 'apiKey' : 'jwt'] } }),
    });
    if (callers) list.push({ name: 'open', match: { path: '/v1/*', host: HOSTS.open }, upstream: 'bench' });
  }
  return {
    listeners: {
      public: {
        address: `127.0.0.1:${port}`,
        ...(http2 && { protocols: ['http1', 'http2'] }),
        ...(tls && { tls: { certificates: [{ certificate: tls.certificate, key: tls.key }] } }),
      },
    },
    admin: { address: `127.0.0.1:${spare[0]}` },
    workers: 1,
    // By default it is on wherever somebody has to show who calls.
    ...(!setup.ledger && { ledger: { enabled: false } }),
    log: { access: everything ? `${folder}/access.log` : 'off' },
    upstreams: {
      bench: { protocol: everything ? 'openai' : 'http', endpoints },
      // Tokens are counted of what is known as a model API.
      ...(tokens && { ai: { protocol: 'openai', endpoints } }),
    },
    ...(everything && {
      models: { 'bench-model': { versions: [{ name: 'stable', upstream: 'bench' }] } },
    }),
    ...(callers && { access: access(callers) }),
    routes: list,
  };
}
