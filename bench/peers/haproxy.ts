/** HAProxy, the reference: one thread, connections reused on both sides, nothing on that the others do not do as well. */
import { writeFileSync } from 'node:fs';
import { AUDIENCE, ISSUER } from '../measure/callers.ts';
import { descriptorLimit } from '../measure/limits.ts';
import { haproxyTrial } from './haproxy-trial.ts';
import { type Peer, type Setup, versionOf } from './peer.ts';
import { eachRoute } from './routes.ts';

/** HAProxy from Debian. */
export const haproxy: Peer = {
  name: 'haproxy',
  about:
    'one thread, http-reuse always, forwarded fields and a unique id; its log to a file where the scenario has one',
  missing: 'apt-get install haproxy',
  version: () => versionOf('haproxy', ['-v'], /version (\d+\.\d+\.\d+)/),
  admits: ['apiKey', 'jwt'],
  // It knows the preface of HTTP/2 when it sees it.
  http2: ({ port }) => port,
  // A frontend of its own, so that its guard need not ask on which route it is.
  openPort: ({ spare: [port = 0] }) => port,
  trial: haproxyTrial,
  configure(setup) {
    const file = `${setup.folder}/haproxy.cfg`;
    writeFileSync(file, configuration(setup));
    // The log line goes to the standard output, which is this file: one write call a line, the cheapest it offers.
    if (!setup.everything) return { command: 'haproxy', args: ['-db', '-q', '-f', file] };
    return { command: 'sh', args: ['-c', `exec haproxy -db -q -f ${file} > ${setup.folder}/access.log`] };
  },
};

/** Limits by key that nobody reaches; it has none on tokens. */
const RATES = [
  { table: 'second', time: '1s', most: 100_000 },
  { table: 'minute', time: '60s', most: 6_000_000 },
] as const;

const counting = ({ table, most }: (typeof RATES)[number], at: number): string[] => [
  `  http-request track-sc${at} http_auth_bearer table ${table}`,
  `  http-request deny deny_status 429 if { sc_http_req_rate(${at}) gt ${most} }`,
];

/** Lets in whom the scenario names. The credential stays here, as Gatehouse keeps it. */
function admission({ callers, folder, limits }: Setup): string[] {
  if (!callers) return [];
  const drop = '  http-request del-header Authorization';
  if (callers.by === 'apiKey') {
    writeFileSync(`${folder}/keys.map`, `${callers.keys.map((key, at) => `${key} caller-${at}`).join('\n')}\n`);
    return [
      `  http-request deny deny_status 401 unless { http_auth_bearer,map_str(${folder}/keys.map) -m found }`,
      ...(limits ? RATES.flatMap((rate, at) => counting(rate, at)) : []),
      drop,
    ];
  }
  return [
    '  http-request set-var(txn.token) http_auth_bearer',
    "  http-request set-var(txn.exp) var(txn.token),jwt_payload_query('$.exp','int')",
    '  http-request set-var(txn.now) date()',
    "  http-request deny deny_status 401 unless { var(txn.token),jwt_header_query('$.alg') -m str RS256 }",
    `  http-request deny deny_status 401 unless { var(txn.token),jwt_payload_query('$.iss') -m str ${ISSUER} }`,
    `  http-request deny deny_status 401 unless { var(txn.token),jwt_payload_query('$.aud') -m str ${AUDIENCE} }`,
    '  http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }',
    `  http-request deny deny_status 401 unless { var(txn.token),jwt_verify(RS256,"${callers.issuerKey}") -m int 1 }`,
    drop,
  ];
}

function configuration(setup: Setup): string {
  const { port, spare, upstreamPort, folder, everything, tls, routes } = setup;
  const bind = tls ? ` ssl crt ${tls.both} alpn http/1.1 ssl-min-ver TLSv1.2` : '';
  const lines = [
    'global',
    '  nbthread 1',
    // Room enough that the idle server connections of 64 clients never come near the share of all descriptors at which
    // HAProxy starts to close them: with a maxconn of 264 it made a new connection for every second request.
    `  maxconn ${Math.min(9000, Math.floor(descriptorLimit() / 2) - 500)}`,
    '  tune.pool-low-fd-ratio 80',
    '  tune.pool-high-fd-ratio 90',
    everything ? '  log stdout format raw local0' : '',
    'defaults',
    // Without it HAProxy leaves a chunk in the kernel (MSG_MORE) until the next one comes: no way to stream tokens.
    setup.streaming ? '  option http-no-delay' : '',
    '  mode http',
    '  timeout connect 2s',
    '  timeout client 75s',
    '  timeout server 60s',
    '  timeout http-request 10s',
    '  timeout http-keep-alive 75s',
    '  option forwardfor',
    '  http-reuse always',
    '  unique-id-format %{+X}o%ci:%cp_%Ts_%rt',
    everything ? '  log global' : '',
    everything ? '  option httplog' : '',
  ];
  const frontend = (name: string, at: number) => [
    `frontend ${name}`,
    `  bind 127.0.0.1:${at} backlog 4096${bind}`,
    '  unique-id-header X-Request-ID',
    `  http-request set-header X-Forwarded-Proto ${tls ? 'https' : 'http'}`,
    '  http-request set-header X-Forwarded-Host %[req.hdr(host)]',
  ];
  if (setup.callers) lines.push(...frontend('everybody', spare[0] ?? 0), '  default_backend servers');
  lines.push(...frontend('clients', port), ...admission(setup));
  const backends = ['servers'];
  if (routes.hosts > 0) {
    const map: string[] = [];
    eachRoute(routes, ({ host, path }) => map.push(`${host}${path} servers`));
    writeFileSync(`${folder}/routes.map`, `${map.join('\n')}\n`);
    lines.push(`  use_backend %[base,map_beg(${folder}/routes.map)]`);
  } else if (everything) {
    writeFileSync(`${folder}/hosts.map`, 'gateway.bench servers\nother.bench others\n');
    lines.push(`  use_backend %[req.hdr(host),lower,map_str(${folder}/hosts.map,servers)]`);
    backends.push('others');
  } else lines.push('  default_backend servers');
  if (setup.limits) {
    for (const { table, time } of RATES)
      lines.push(
        `backend ${table}`,
        `  stick-table type string len 64 size 100k expire 2m store http_req_rate(${time})`,
      );
  }
  for (const backend of backends) {
    lines.push(`backend ${backend}`, `  server one 127.0.0.1:${upstreamPort} pool-max-conn -1`);
  }
  return `${lines.filter((line) => line !== '').join('\n')}\n`;
}
