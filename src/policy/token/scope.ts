/** Scopes as clients ask for them (RFC 6749 §3.3). */
import { OAuthError } from './wire.ts';

/** Asks for a refresh token, where a grant gives one only on request. */
export const OFFLINE = 'offline_access';

/** The scopes of a request: words with one space between them. Undefined: it names none. */
export function readScope(text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined;
  const words = text.split(' ');
  if (words.length > 64 || !words.every((word) => /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/.test(word)))
    throw new OAuthError('invalid_scope', 'The scope is no list of words with single spaces between them.');
  return [...new Set(words)];
}

/** What is given of what is asked: all that may be had when nothing is asked for. Throws when more is asked for. */
export function grantScope(asked: readonly string[] | undefined, ...bounds: readonly (readonly string[])[]): string[] {
  const has = (word: string) => bounds.every((bound) => bound.includes(word));
  if (asked === undefined) return (bounds[0] ?? []).filter(has);
  const plain = asked.filter((word) => word !== OFFLINE);
  const over = plain.find((word) => !has(word));
  if (over !== undefined) throw new OAuthError('invalid_scope', `The scope ${over} is not to be had here.`);
  return plain;
}
