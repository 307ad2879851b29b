/**
 * Whom a configuration lets in, as one program tells it to the one before it, which still has requests under way: in so few and
 * plain words that another version understands them.
 */
import { type Config, tenantConfig } from '../config/config.ts';
import { thumbprintsOf } from '../policy/access/access.ts';
import { accessConfig } from '../policy/access/config.ts';

/** See the file's head. What is kept in the store is not among it: everybody hears of that from there. */
export interface Admitted {
  /** Declared keys: id, principal and tenant. */
  readonly keys: readonly (readonly [id: string, principal: string, tenant: string])[];
  /** Rules for client certificates, in their order. */
  readonly certificates: readonly Readonly<Record<string, string>>[];
  /** Issuers by their URL → thumbprints of their keys; null where these are fetched. */
  readonly issuers: Readonly<Record<string, readonly string[] | null>>;
  /** Declared tenants that are switched off. */
  readonly tenantsOff: readonly string[];
}

type Parts = Pick<Config, 'access' | 'tokens' | 'tenants'>;

/** Whom it lets in. */
export function admittedBy({ access, tokens, tenants }: Parts): Admitted {
  const issuers: Record<string, string[] | null> = {};
  for (const { issuer, keys } of Object.values(access.issuers))
    issuers[issuer] = keys === undefined ? null : thumbprintsOf(keys);
  if (tokens !== undefined) issuers[tokens.issuer] = null;
  return {
    keys: access.keys.map(({ id, principal, tenant }) => [id, principal, tenant]),
    certificates: access.certificates.map(({ name, subject, issuer, san, thumbprint, principal, tenant }) => ({
      name: principal ?? name,
      tenant,
      ...(subject !== undefined && { subject }),
      ...(issuer !== undefined && { issuer }),
      ...(san !== undefined && { san }),
      ...(thumbprint !== undefined && { thumbprint }),
    })),
    issuers,
    tenantsOff: Object.entries(tenants)
      .filter(([, { disabled }]) => disabled)
      .map(([name]) => name),
  };
}

/**
 * A configuration of ours that lets in nobody whom the other program does not, good for judging who may go on and for nothing else.
 * Throws an `Error` when we do not understand it.
 */
export function narrowed<C extends Parts>(config: C, { keys, certificates, issuers, tenantsOff }: Admitted): C {
  const { access, tokens } = config;
  const kept = new Set(keys.map((key) => JSON.stringify(key)));
  const own: Config['access']['issuers'] = {};
  for (const [name, issuer] of Object.entries(access.issuers)) {
    const theirs = issuers[issuer.issuer];
    if (theirs === undefined) continue;
    own[name] =
      issuer.keys === undefined || theirs === null
        ? issuer
        : { ...issuer, keys: issuer.keys.filter((key) => thumbprintsOf([key]).some((one) => theirs.includes(one))) };
  }
  const off = tenantsOff.map((name) => [name, { ...(config.tenants[name] ?? tenantConfig.parse({})), disabled: true }]);
  return {
    ...config,
    access: {
      ...access,
      keys: access.keys.filter(({ id, principal, tenant }) => kept.has(JSON.stringify([id, principal, tenant]))),
      certificates: accessConfig.parse({ certificates }).certificates,
      issuers: own,
    },
    tokens: tokens !== undefined && issuers[tokens.issuer] !== undefined ? tokens : undefined,
    tenants: { ...config.tenants, ...Object.fromEntries(off) },
  };
}
