/** What a request shows of itself in its head: the one credential, or why there is not exactly one. */
import type { FieldSection } from '../../http/fields.ts';
import { KNOWN } from '../../http/known.ts';
import type { CredentialScheme } from './authenticator.ts';

/** Bit of the fields that hold credentials: Authorization, x-api-key and api-key. */
export const CREDENTIAL = KNOWN.authorization;

/** Length of the name tells the three apart. */
const AUTHORIZATION = 'authorization'.length;

/** Why nothing can be made of what was shown. */
export type ShownFault = 'none' | 'several' | 'scheme' | 'spelling' | 'empty';

/** Where `readShown` puts what it finds; one for all requests, valid until the next. */
export const shown: { scheme: CredentialScheme; credential: string } = { scheme: 'bearer', credential: '' };

/** Reads the credential of a head into `shown`. */
export function readShown(head: FieldSection): ShownFault | undefined {
  if ((head.underscored & CREDENTIAL) !== 0) return 'spelling';
  if ((head.seen & CREDENTIAL) === 0) return 'none';
  const at = head.kinds.indexOf(CREDENTIAL);
  const fault = readField(head, at);
  if (fault !== undefined || (head.repeated & CREDENTIAL) === 0) return fault;
  // Some clients send the same key in two fields; what differs could be read in two ways behind us.
  const { scheme, credential } = shown;
  for (let i = at + 1; i < head.kinds.length; i++) {
    if (head.kinds[i] !== CREDENTIAL) continue;
    if (sameField(head, at, i)) return 'several';
    const next = readField(head, i);
    if (next !== undefined) return next;
    if (shown.credential !== credential || scheme === 'dpop' || shown.scheme === 'dpop') return 'several';
  }
  return undefined;
}

function sameField({ marks }: FieldSection, a: number, b: number): boolean {
  return nameLength(marks, a) === nameLength(marks, b);
}

function nameLength(marks: readonly number[], at: number): number {
  return (marks[4 * at + 1] as number) - (marks[4 * at] as number);
}

function readField(head: FieldSection, at: number): ShownFault | undefined {
  const value = head.value(at);
  if (nameLength(head.marks, at) !== AUTHORIZATION) {
    shown.scheme = 'field';
    shown.credential = value;
    return value === '' ? 'empty' : undefined;
  }
  // Schemes are compared without regard to case (RFC 9110 §11.1).
  let space = value.indexOf(' ');
  if (space < 0) return value === '' ? 'empty' : 'scheme';
  if (space === 6 && (value.startsWith('Bearer') || value.slice(0, 6).toLowerCase() === 'bearer')) {
    shown.scheme = 'bearer';
  } else if (space === 4 && value.slice(0, 4).toLowerCase() === 'dpop') {
    shown.scheme = 'dpop';
  } else return 'scheme';
  while (value.charCodeAt(space) === 0x20) space++;
  shown.credential = value.slice(space);
  return shown.credential === '' ? 'empty' : undefined;
}
