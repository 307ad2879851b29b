/** By what a limit counts: parts of a request, joined to one key. */
import { createHash } from 'node:crypto';
import { networkOf } from '../../http/network.ts';
import type { Exchange } from '../../kernel/exchange.ts';
import type { Identity } from '../../kernel/identity.ts';

/** A part as it stands in the configuration. */
export const KEY_PART =
  /^(apiKey|tenant|user|plan|model|version|route|host|resource|ip(\/([12]?\d|3[0-2])(\/(\d{1,2}|1[01]\d|12[0-8]))?)?|header:[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}|claim:[A-Za-z0-9_.:/-]{1,128})$/;

/** Makes the key of a request; '' stands for what it does not have, so that those without share one. */
export type KeyOf = (exchange: Exchange) => string;

/** Longest value of a field or claim that is told apart by itself; longer ones share what they begin with. */
const VALUE_MOST = 256;

/** Fields that let their bearer in: what is counted by them is shown, logged and stored, so they are not told themselves. */
const SECRET_FIELDS: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'cookie',
]);

/** Tells secrets apart without telling them: 96 bits of SHA-256. */
const disguised = (secret: string): string => createHash('sha256').update(secret).digest('base64url').slice(0, 16);

function partOf(part: string): KeyOf {
  const [kind = '', ...rest] = part.split(/[:/]/);
  const name = part.slice(kind.length + 1);
  switch (kind) {
    case 'apiKey':
      return ({ identity }) => identity?.account ?? '';
    case 'tenant':
      return ({ identity }) => identity?.tenant ?? '';
    case 'user':
      return ({ identity }) => (identity === undefined ? '' : userOf(identity));
    case 'plan':
      return ({ identity }) => identity?.plan ?? '';
    case 'model':
      // On a route without `models` it is whatever a client writes.
      return ({ model }) => (model.length > VALUE_MOST ? model.slice(0, VALUE_MOST) : model);
    case 'version':
      return ({ version }) => version;
    case 'route':
      return ({ route }) => route;
    case 'host':
      return ({ head }) => head.host;
    case 'header': {
      const field = name.toLowerCase();
      if (SECRET_FIELDS.has(field)) {
        return ({ head }) => {
          const secret = head.get(field);
          return secret === undefined ? '' : disguised(secret);
        };
      }
      return ({ head }) => head.get(field)?.slice(0, VALUE_MOST) ?? '';
    }
    case 'claim':
      return ({ identity }) => textOf(identity?.claims[name]);
    case 'ip': {
      const four = Number(rest[0] ?? 32);
      const six = Number(rest[1] ?? 64);
      return ({ inbound }) => networkOf(inbound.clientAddress, four, six);
    }
    default:
      return () => '';
  }
}

/** Of a tenant, for another tenant may have somebody of this name. */
function userOf({ tenant, principal }: Identity): string {
  return tenant === '' ? principal : `${tenant}\0${principal}`;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value.slice(0, VALUE_MOST).replaceAll('\0', '');
  return value === undefined || value === null ? '' : JSON.stringify(value).slice(0, VALUE_MOST);
}

/** Compiles the parts of a key. Values are joined by NUL, which none of them can hold. */
export function compileKey(parts: readonly string[]): KeyOf {
  const all = parts.filter((part) => part !== 'resource').map(partOf);
  const [first, second] = all;
  if (first === undefined) return () => '*';
  if (second === undefined) return first;
  return (exchange) => {
    let key = first(exchange);
    for (let i = 1; i < all.length; i++) key += `\0${(all[i] as KeyOf)(exchange)}`;
    return key;
  };
}

/** Part of a key → what usage is told apart by. */
const USAGE: Readonly<Record<string, 'tenant' | 'key' | 'model' | 'version' | 'route'>> = {
  tenant: 'tenant',
  apiKey: 'key',
  model: 'model',
  version: 'version',
  route: 'route',
};

/** A key of a budget as usage is told apart in the ledger; undefined where the ledger does not know one of its parts. */
export function usageOf(
  budget: { readonly key: readonly string[] },
  key: string,
): Partial<Record<'tenant' | 'key' | 'model' | 'version' | 'route', string>> | undefined {
  const parts = budget.key.filter((part) => part !== 'resource');
  const values = key.split('\0');
  const usage: Partial<Record<'tenant' | 'key' | 'model' | 'version' | 'route', string>> = {};
  for (let i = 0; i < parts.length; i++) {
    const name = USAGE[parts[i] as string];
    if (name === undefined) return undefined;
    usage[name] = values[i] ?? '';
  }
  return usage;
}

/** A key as operators read it. */
export const sayKey = (key: string): string => key.replaceAll('\0', ' ') || '(none)';
