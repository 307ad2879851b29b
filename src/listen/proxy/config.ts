/** Settings of the PROXY protocol on a listener. */
import { z } from 'zod';

/** `listeners.NAME.proxyProtocol`. */
export const proxyProtocolConfig = z
  .strictObject({
    from: z
      .array(
        z.string().regex(/^[0-9a-fA-F.:]+(\/\d{1,3})?$|^unix$/, 'expected an IP address or CIDR, such as 10.0.0.0/8'),
      )
      .min(1)
      .describe('Load balancers in front: each of their connections must begin with a header of version 1 or 2.'),
    others: z
      .enum(['refuse', 'accept'])
      .default('refuse')
      .describe(
        'Connections from elsewhere: refused, or taken as they are (a header is then no header, but an error).',
      ),
  })
  .describe(
    'The PROXY protocol, before TLS and HTTP: the address that it names counts as that of the peer, in logs, limits and `trustedHops`.',
  );
