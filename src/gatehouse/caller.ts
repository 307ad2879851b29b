/** Who is told from whom, where callers share what there is. */
import type { Exchange } from '../kernel/exchange.ts';

/** Whose request it is: its tenant's, else its caller's, else its address's. */
export function callerOf({ identity, inbound }: Pick<Exchange, 'identity' | 'inbound'>): string {
  return identity === undefined ? inbound.clientAddress : identity.tenant || identity.principal;
}
