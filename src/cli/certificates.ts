/** The keeper of certificates, joined to the supervisor's metrics and log. */
import type { Clock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { Overview } from '../observe/observe.ts';
import { Certificates, type Services } from '../supervisor/supervisor.ts';
import { VERSION } from './version.ts';

/** Publishes the topic `tls` of `services`; call before the supervisor starts. */
export function certificatesFor(
  clock: Clock,
  services: Services,
  notice: (notice: NoticeEvent) => void,
  metrics: Overview['metrics'],
): Certificates {
  return new Certificates({
    clock,
    services,
    notice,
    expiries: (soonest) => metrics.certificates(soonest),
    attempted: (result) => metrics.certificateAttempted(result),
    agent: `gatehouse/${VERSION}`,
  });
}
