/**
 * The good token that a connection has shown last. Clients show the same one with each request, and comparing it with itself costs
 * less than its hash. What has been shown is compared with what this very connection has shown before, never with what
 * another one has; behind a trusted hop, whose connections many clients share, nothing is kept.
 */
import type { Peer } from '../../../kernel/exchange.ts';
import type { CheckedToken } from './issuer.ts';

/** See the file's head. Whether the token still holds is for its reader to say. */
export class LastToken {
  token: CheckedToken | undefined = undefined;
  /** Of its text. */
  hash = '';
  /** Its text, once it has been shown twice in a row; '' before: a connection that shows another each time copies none. */
  text = '';

  /** Notes a token that is good. */
  note(token: CheckedToken, hash: string, text: string): void {
    if (this.token === token) {
      // A piece of the head's text would keep all of that alive.
      this.text = Buffer.from(text, 'latin1').toString('latin1');
      return;
    }
    this.token = token;
    this.hash = hash;
    this.text = '';
  }

  /** Forgets it. */
  forget(): void {
    this.token = undefined;
    this.hash = this.text = '';
  }
}

/** That of a connection; undefined where none is kept. */
export function lastTokenOf(peer: Peer): LastToken | undefined {
  if (peer.trusted) return undefined;
  if (peer.shown instanceof LastToken) return peer.shown;
  const made = new LastToken();
  peer.shown = made;
  return made;
}
