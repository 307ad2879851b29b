/** Mistakes between routes that ask who calls and the settings that say who may. */
import type { AccessConfig } from '../policy/access/config.ts';
import type { RouteConfig } from '../route/config.ts';
import type { Report } from './problem.ts';

/** Reports routes that ask for tokens nobody issues, and issuers whose tokens nobody asks for. `whole`: all routes are right. */
export function checkAccess(
  access: AccessConfig,
  routes: readonly (readonly [number, RouteConfig])[],
  whole: boolean,
  report: Report,
): void {
  const issuers = Object.entries(access.issuers);
  const asking = routes.filter(([, route]) => route.access?.anyOf.includes('jwt'));
  if (issuers.length === 0) {
    for (const [i] of asking) {
      const message =
        'this route takes tokens, and no issuer is trusted; add one under access.issuers, or take jwt out';
      report.at(['routes', i, 'access', 'anyOf'], message);
    }
  } else if (whole && asking.length === 0) {
    const message = 'no route takes tokens, so the issuers do nothing; add jwt to access.anyOf of a route';
    report.warn(['access', 'issuers'], message, 'key');
  }
  for (const [name, issuer] of issuers) {
    if (issuer.dpop === 'required' && issuer.certificateBound === 'required') {
      const message = 'a token must be bound in both ways, which few issuers do; require one of them';
      report.warn(['access', 'issuers', name, 'dpop'], message);
    }
  }
  if (
    access.dpop.redis?.startsWith('redis:') &&
    !/^redis:\/\/([^@/]*@)?(localhost|127\.|\[::1\])/.test(access.dpop.redis)
  ) {
    report.warn(
      ['access', 'dpop', 'redis'],
      'Redis is spoken to without TLS: who is on the way can make proofs good twice; use rediss://',
    );
  }
}
