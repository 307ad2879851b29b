/** HAProxy in trials: master and worker, sockets handed over, health checks, redispatch and layer-7 retries. */
import { admitted, LAST_CALL_MS, QUEUE_MS, serversOf, type TrialPeer, type TrialSetup, writeWhole } from './trial.ts';

/** HAProxy in master-worker mode; SIGUSR2 to the master reloads. */
export const haproxyTrial: TrialPeer = {
  about:
    'master-worker, reload by SIGUSR2, expose-fd listeners; redispatch, retries, retry-on; maxconn, queue, priority classes',
  reload: 'SIGUSR2',
  configure(setup) {
    const file = `${setup.folder}/haproxy.cfg`;
    writeWhole(file, configuration(setup));
    return { command: 'haproxy', args: ['-W', '-q', '-f', file] };
  },
};

function configuration(setup: TrialSetup): string {
  const { kind, folder, port, turn } = setup;
  const lines = [
    'global',
    '  nbthread 1',
    '  maxconn 8000',
    '  tune.pool-low-fd-ratio 80',
    '  tune.pool-high-fd-ratio 90',
    `  stats socket ${folder}/haproxy.sock mode 600 level admin expose-fd listeners`,
    '  hard-stop-after 30s',
    'defaults',
    '  mode http',
    '  option http-no-delay',
    // Else an old worker closes idle connections at once, and the request that is just on its way is lost.
    '  option idle-close-on-response',
    '  timeout connect 1s',
    '  timeout client 75s',
    '  timeout server 60s',
    '  timeout http-request 10s',
    '  timeout http-keep-alive 75s',
    '  option forwardfor',
    '  http-reuse always',
    'frontend clients',
    `  bind 127.0.0.1:${port} backlog 4096`,
    '  default_backend servers',
    'backend servers',
    `  http-request set-header Host turn-${turn}`,
    '  balance leastconn',
  ];
  if (kind === 'failover') {
    lines.push(
      '  option redispatch 1',
      '  retries 3',
      '  retry-on conn-failure empty-response junk-response response-timeout 502 503 504',
      '  option httpchk GET /health',
      '  default-server check inter 500ms fall 2 rise 1 observe layer4 error-limit 5 on-error mark-down',
    );
  }
  if (kind === 'overload') lines.push(`  timeout queue ${QUEUE_MS}ms`);
  if (kind === 'queue') {
    // It knows classes, and no tenants: within a class who came first.
    lines.push(
      `  timeout queue ${LAST_CALL_MS}ms`,
      '  http-request set-priority-class int(0) if { hdr(x-priority) realtime }',
      '  http-request set-priority-class int(1) if { hdr(x-priority) batch }',
      '  http-request set-priority-class int(2) if { hdr(x-priority) test }',
    );
  }
  const places = kind === 'queue' ? ` maxconn ${setup.slots}` : '';
  const limit = kind === 'overload' ? ` maxconn ${admitted(setup)}` : places;
  for (const server of serversOf(setup)) {
    lines.push(`  server s${server} 127.0.0.1:${server} pool-max-conn -1${limit}`);
  }
  return `${lines.join('\n')}\n`;
}
