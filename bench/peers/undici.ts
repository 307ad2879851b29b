/** What a Node developer writes first: `node:http` in front, undici behind. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { INSTALL_COMMAND, packageFolder, packageVersion } from './install.ts';
import type { Peer } from './peer.ts';

/** The plain Node proxy. */
export const undici: Peer = {
  name: 'undici',
  about: 'node:http + undici, one process; with everything on it parses the body for the model and logs to a file',
  missing: INSTALL_COMMAND,
  version: () => packageVersion('undici'),
  cannot: ({ routes }) => (routes.hosts > 0 ? 'has no router' : undefined),
  configure({ port, upstreamPort, tls, everything, folder }) {
    const options = { port, upstreamPort, tls, log: everything ? `${folder}/access.log` : undefined };
    return {
      command: process.execPath,
      args: [join(dirname(fileURLToPath(import.meta.url)), 'undici-proxy.js'), JSON.stringify(options)],
      env: { UNDICI: join(packageFolder('undici') ?? '', 'index.js') },
    };
  },
};
