/** Mistakes of who may ask the admin port: one that others reach and that asks nobody, and logins that nobody passes. */
import { inTheOpen } from './accesscheck.ts';
import { parseAddress } from './address.ts';
import type { Parts } from './parts.ts';
import type { Report } from './problem.ts';

/** Reports what is wrong with `admin`. */
export function checkAdmin({ admin }: Parts, report: Report): void {
  if (admin === undefined) return;
  const { access, anonymous: groups } = admin;
  const place = parseAddress(admin.address);
  const local = place.unix !== undefined || /^(127\.|::1$|localhost$)/.test(place.host);
  if (!local && access === undefined && groups === undefined) {
    report.at(
      ['admin', 'address'],
      'this address can be reached from other machines, and nothing says who may ask there: set admin.access (tokens, OpenID Connect), or admin.anonymous: [metrics, health] to let everybody see these and nothing else, or write 127.0.0.1',
    );
  }
  if (local && access === undefined && groups !== undefined) {
    report.warn(
      ['admin', 'anonymous'],
      'on this address everything answers without asking who it is; add admin.access, or take this out',
      'key',
    );
  }
  if (access === undefined) return;
  const { tokens, oidc } = access;
  const names = new Set<string>();
  tokens.forEach(({ name }, i) => {
    const here = ['admin', 'access', 'tokens', i];
    if (names.has(name)) report.at([...here, 'name'], `two tokens are named "${name}"; rename one`);
    names.add(name);
    inTheOpen([...here, 'token'], report);
  });
  for (const secret of [['oidc', 'clientSecret'], ['sessionSecret']]) inTheOpen(['admin', 'access', ...secret], report);
  if (tokens.length === 0 && oidc === undefined) {
    const remedy = 'declare one here to make others with';
    report.warn(['admin', 'access'], `no token and no login: only tokens made before let anybody in; ${remedy}`, 'key');
  }
  if (oidc !== undefined && !oidc.scopes.includes('openid')) {
    report.at(['admin', 'access', 'oidc', 'scopes'], 'without the scope openid no issuer says who somebody is; add it');
  }
}
