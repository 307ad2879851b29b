/** nginx in trials: master and worker, proxy_next_upstream with POST, passive marking, limit_conn. */
import { mkdirSync } from 'node:fs';
import { admitted, serversOf, type TrialPeer, type TrialSetup, writeWhole } from './trial.ts';

/** nginx with its master process; SIGHUP reloads. */
export const nginxTrial: TrialPeer = {
  about: 'reload by SIGHUP; proxy_next_upstream with non_idempotent, request buffered; limit_conn',
  reload: 'SIGHUP',
  configure(setup) {
    const file = `${setup.folder}/nginx.conf`;
    mkdirSync(`${setup.folder}/tmp`, { recursive: true });
    writeWhole(file, configuration(setup));
    return { command: 'nginx', args: ['-p', setup.folder, '-e', `${setup.folder}/error.log`, '-c', file] };
  },
};

function configuration(setup: TrialSetup): string {
  const { kind, port, turn } = setup;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path tmp/${name};`)
    .join('\n');
  // It has no active checks: whoever fails once is left out for a second.
  const marking = kind === 'failover' ? ' max_fails=1 fail_timeout=1s' : ' max_fails=0';
  const servers = serversOf(setup).map((server) => `server 127.0.0.1:${server}${marking};`);
  // A request body that is not buffered could not be sent a second time.
  const retries =
    kind === 'failover'
      ? `  proxy_request_buffering on;
  client_body_buffer_size 64k;
  proxy_connect_timeout 1s;
  proxy_next_upstream error timeout http_502 http_503 http_504 non_idempotent;
  proxy_next_upstream_tries 3;`
      : '  proxy_request_buffering off;\n  proxy_next_upstream off;';
  // It can refuse, but not let wait: its queue for servers that are full is not in the free edition.
  const limit =
    kind === 'overload' || kind === 'queue'
      ? `  limit_conn_zone $server_port zone=bench:1m;
  limit_conn bench ${admitted(setup)};
  limit_conn_status 503;
  limit_conn_log_level info;`
      : '';
  return `daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid nginx.pid;
error_log error.log error;
events { worker_connections 8000; }
http {
${temporary}
  access_log off;
  client_max_body_size 0;
  keepalive_requests 10000000;
  keepalive_timeout 75s;
  tcp_nodelay on;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host turn-${turn};
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_buffering off;
${retries}
${limit}
  upstream servers { least_conn; ${servers.join(' ')} keepalive 512; keepalive_requests 10000000; }
  server { listen 127.0.0.1:${port} default_server backlog=4096; location / { proxy_pass http://servers; } }
}
`;
}
