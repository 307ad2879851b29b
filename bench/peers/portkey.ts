/** Portkey's AI gateway. It listens on every interface, so it runs in a network namespace of its own. */
import { join } from 'node:path';
import { INSTALL_COMMAND, packageFolder, packageVersion } from './install.ts';
import type { Peer } from './peer.ts';

const PACKAGE = '@portkey-ai/gateway';

/** Portkey from npm. */
export const portkey: Peer = {
  name: 'portkey',
  about: 'its own defaults, headless, provider openai with a custom host; it writes the JSON anew',
  missing: INSTALL_COMMAND,
  isolate: true,
  rewrites: true,
  version: () => packageVersion(PACKAGE),
  cannot({ tls, routes }) {
    if (tls) return 'has no TLS of its own set up here';
    return routes.hosts > 0 ? 'has no routes by host and path' : undefined;
  },
  configure: ({ port }) => ({
    command: process.execPath,
    args: [join(packageFolder(PACKAGE) ?? '', 'build', 'start-server.js'), `--port=${port}`, '--headless'],
    env: { NODE_ENV: 'production' },
  }),
  fields: ({ upstreamPort }) =>
    `x-portkey-provider: openai\r\nx-portkey-custom-host: http://127.0.0.1:${upstreamPort}/v1\r\nauthorization: Bearer sk-bench\r\n`,
};
