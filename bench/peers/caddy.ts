/** Caddy, set up through its JSON configuration; its X-Forwarded-* fields are on by default. */
import { writeFileSync } from 'node:fs';
import { type Peer, type Setup, versionOf } from './peer.ts';

/** Caddy from Debian. */
export const caddy: Peer = {
  name: 'caddy',
  about: 'GOMAXPROCS=1, admin off, streams flushed at once; JSON access log to a file and metrics where there is one',
  missing: 'apt-get install caddy',
  version: () => versionOf('caddy', ['version'], /v?(\d+\.\d+\.\d+)/),
  configure(setup) {
    const file = `${setup.folder}/caddy.json`;
    writeFileSync(file, JSON.stringify(configuration(setup)));
    const home = setup.folder;
    return {
      command: 'caddy',
      args: ['run', '--config', file],
      env: { GOMAXPROCS: '1', HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home },
    };
  },
};

function configuration(setup: Setup): object {
  const { port, upstreamPort, tls, everything, routes, folder } = setup;
  const forward = {
    handler: 'reverse_proxy',
    upstreams: [{ dial: `127.0.0.1:${upstreamPort}` }],
    flush_interval: -1,
    transport: { protocol: 'http', keep_alive: { max_idle_conns_per_host: 512 } },
    headers: { request: { set: { 'X-Request-Id': ['{http.request.uuid}'] } } },
  };
  const hosts = Array.from({ length: routes.hosts }, (_, host) => ({
    match: [{ host: [`h${host}.bench`] }],
    terminal: true,
    handle: [
      {
        handler: 'subroute',
        routes: Array.from({ length: routes.paths }, (_, path) => ({
          match: [{ path: [`/p${path}/*`] }],
          terminal: true,
          handle: [forward],
        })),
      },
    ],
  }));
  const mapped = {
    handler: 'map',
    source: '{http.request.host}',
    destinations: ['{pool}'],
    mappings: [{ input: 'gateway.bench', outputs: ['servers'] }],
    defaults: ['servers'],
  };
  return {
    admin: { disabled: true },
    logging: {
      logs: {
        default: { level: 'ERROR' },
        ...(everything && {
          access: {
            writer: { output: 'file', filename: `${folder}/access.log`, roll: false },
            encoder: { format: 'json' },
            include: ['http.log.access.bench'],
          },
        }),
      },
    },
    apps: {
      ...(tls && { tls: { certificates: { load_files: [{ certificate: tls.certificate, key: tls.key }] } } }),
      http: {
        servers: {
          bench: {
            listen: [`127.0.0.1:${port}`],
            automatic_https: { disable: true },
            protocols: ['h1'],
            ...(tls && { tls_connection_policies: [{}] }),
            ...(everything && { logs: { default_logger_name: 'bench' }, metrics: {} }),
            routes: hosts.length > 0 ? hosts : [{ handle: everything ? [mapped, forward] : [forward] }],
          },
        },
      },
    },
  };
}
