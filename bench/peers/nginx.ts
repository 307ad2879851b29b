/** nginx: one worker, keep-alive on both sides, bodies passed on as they come. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { nginxTrial } from './nginx-trial.ts';
import { type Peer, type Setup, versionOf } from './peer.ts';

/** nginx from Debian. */
export const nginx: Peer = {
  name: 'nginx',
  about:
    'one worker, keep-alive upstream, no buffering of bodies; access log through a 32 KiB buffer where there is one',
  missing: 'apt-get install nginx-light (or nginx)',
  version: () => versionOf('nginx', ['-v'], /nginx\/(\S+)/),
  // Before 1.25.1 a port without TLS speaks one of the two versions only.
  http2: ({ spare }) => spare[1]!,
  trial: nginxTrial,
  configure(setup) {
    const file = `${setup.folder}/nginx.conf`;
    mkdirSync(`${setup.folder}/tmp`, { recursive: true });
    writeFileSync(file, configuration(setup));
    return { command: 'nginx', args: ['-p', setup.folder, '-e', `${setup.folder}/error.log`, '-c', file] };
  },
};

function configuration(setup: Setup): string {
  const { port, upstreamPort, tls, everything, routes } = setup;
  const listen = `listen 127.0.0.1:${port}${tls ? ' ssl' : ''}`;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `  ${kind}_temp_path tmp/${kind};`)
    .join('\n');
  const secure = tls
    ? `  ssl_certificate ${tls.certificate};\n  ssl_certificate_key ${tls.key};\n  ssl_protocols TLSv1.2 TLSv1.3;\n  ssl_session_cache shared:bench:1m;\n`
    : '';
  const also = setup.http2 ? `listen 127.0.0.1:${setup.spare[1]} http2 backlog=4096;` : '';
  let servers = `  server { ${listen} default_server backlog=4096; ${also} location / { proxy_pass http://${everything ? '$pool' : 'servers'}; } }\n`;
  for (let host = 0; host < routes.hosts; host++) {
    servers += `  server { ${listen}; server_name h${host}.bench;\n`;
    for (let path = 0; path < routes.paths; path++) {
      servers += `    location /p${path}/ { proxy_pass http://servers; }\n`;
    }
    servers += '  }\n';
  }
  return `daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid nginx.pid;
error_log error.log error;
events { worker_connections ${setup.connections * 3 + 1000}; } # nginx drops waiting clients once 15/16 are taken
http {
${temporary}
${secure}${everything ? '  log_format bench escape=json \'{"at":"$msec","id":"$request_id","method":"$request_method","path":"$uri","status":$status,"bytes":$body_bytes_sent,"seconds":$request_time,"upstream":"$upstream_addr"}\';\n  access_log access.log bench buffer=32k flush=1s;\n  map $host $pool { hostnames; default servers; gateway.bench servers; other.bench others; }\n  upstream others { server 127.0.0.1:1; }' : '  access_log off;'}
  server_names_hash_max_size 65536;
  server_names_hash_bucket_size 128;
  client_max_body_size 0;
  keepalive_requests 10000000;
  keepalive_timeout 75s;
  tcp_nodelay on;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Request-ID $request_id;
  proxy_buffering off;
  proxy_request_buffering off;
  upstream servers { server 127.0.0.1:${upstreamPort}; keepalive 512; keepalive_requests 10000000; }
${servers}}
`;
}
