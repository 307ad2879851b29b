/** No proxy at all: what added latency is added to. */
import type { Peer } from './peer.ts';

/** The stand-in upstream itself; only its latency is taken. */
export const DIRECT = 'direct';

/** Whether this peer is the direct one. */
export const isDirect = (peer: Peer): boolean => peer.name === DIRECT;

/** The load generator connected straight to the upstream. */
export const direct: Peer = {
  name: DIRECT,
  about: 'the load generator straight to the upstream',
  missing: '',
  version: () => '-',
  configure: () => {
    throw new Error('there is nothing to start for the direct run');
  },
};
