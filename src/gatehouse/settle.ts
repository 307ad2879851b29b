/** The end of a request, for money and limits. */

import type { Exchange } from '../kernel/exchange.ts';
import type { Admission } from '../policy/quota/quota.ts';
import { costOfPassage, type Priced } from './cost.ts';
import { usedBy } from './demand.ts';

/** A request that has ended, and whose usage is known. */
interface Ended extends Pick<Priced, 'price'> {
  readonly exchange: Exchange;
  readonly admission: Admission | undefined;
}

/** Says what it has cost, and settles its limits on what it has used. */
export function settle(request: Ended): void {
  const { exchange, admission, price } = request;
  if (price !== undefined) exchange.cost = costOfPassage(request, exchange);
  if (admission === undefined) return;
  if (exchange.cost > 0) exchange.charges = admission.charges();
  admission.end(usedBy(request));
}
