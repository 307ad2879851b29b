/** A frame client of a gateway before a server that a test plays. */
import { type InProcess, type InProcessOptions, withGateway, withServer } from '../inprocess.ts';
import type { RawPeer } from '../raw.ts';
import { type FrameClient, frameClient } from './frames.ts';

type Use = (client: FrameClient, gateway: InProcess) => Promise<void>;

/** A client of a gateway before a server that a test plays. */
export function withClient(
  play: (peer: RawPeer) => Promise<void>,
  use: Use,
  listener: InProcessOptions['listener'] = {},
  more: Partial<InProcessOptions> = {},
): Promise<void> {
  return withServer(play, (server) =>
    withGateway({ upstream: server.url, ...more, listener: { protocols: ['http2'], ...listener } }, async (gateway) => {
      const client = await frameClient(gateway);
      await use(client, gateway);
      await gateway.unharmed();
      client.close();
    }),
  );
}
