/**
 * What a caller of one tenant may not do to a key: take away or widen what narrows it, whoever has set that. It cannot be told
 * any more who did, and the provider may have had reasons; the caller makes a new key instead, as far as it may.
 */
import type { KeyDocument } from '../../policy/access/access.ts';

/** What a key is to be; times as text. */
export interface WantedKey {
  readonly networks: readonly string[];
  readonly models?: readonly string[] | undefined;
  readonly priority?: number | undefined;
  readonly notBefore?: string | undefined;
  readonly expiresAt?: string | undefined;
  readonly trial: boolean;
  readonly disabled: boolean;
}

/** The first field by which a key would be good for more than before, and what may be done with that; undefined: none. */
export function widened(wanted: WantedKey, before: KeyDocument): { field: keyof WantedKey; may: string } | undefined {
  const { networks, models, priority, notBefore, expiresAt, trial, disabled } = before;
  if (disabled && !wanted.disabled) return { field: 'disabled', may: 'switches no key on again: make a new one' };
  if (networks.length > 0 && !subset(wanted.networks, (one) => networks.includes(one)))
    return { field: 'networks', may: `leaves it some of ${networks.join(', ')}, and gives it no others` };
  if (models !== undefined && !subset(wanted.models ?? ['*'], (one) => models.some((held) => covers(held, one)), 0))
    return {
      field: 'models',
      may: `leaves it some of its models (${models.join(', ') || 'none'}), and gives it no others`,
    };
  if (priority !== undefined && (wanted.priority ?? Number.POSITIVE_INFINITY) > priority)
    return { field: 'priority', may: `may set it to ${priority} at most` };
  if (notBefore !== undefined && at(wanted.notBefore, 0) < notBefore)
    return { field: 'notBefore', may: `may set it to ${textOf(notBefore)} at the earliest` };
  if (expiresAt !== undefined && at(wanted.expiresAt, Number.POSITIVE_INFINITY) > expiresAt)
    return { field: 'expiresAt', may: `may set it to ${textOf(expiresAt)} at the latest` };
  // Rules ask for keys of trials, and for others.
  if (wanted.trial !== trial) return { field: 'trial', may: 'does not change it' };
  return undefined;
}

const subset = (list: readonly string[], held: (one: string) => boolean, least = 1): boolean =>
  list.length >= least && list.every(held);
/** A trailing `*` matches any ending. */
const covers = (held: string, one: string): boolean =>
  held === one || (held.endsWith('*') && one.startsWith(held.slice(0, -1)));
const at = (time: string | undefined, usual: number): number => (time === undefined ? usual : Date.parse(time));
const textOf = (ms: number): string => new Date(ms).toISOString();
