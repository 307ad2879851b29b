/**
 * Keys of session tickets (RFC 5077, RFC 8446 §4.6.1), shared by all workers: a client may resume with any of them, and
 * after a reload. The newest key seals; older ones still open, and then
 * the client gets a new ticket.
 */
import { randomBytes } from 'node:crypto';
import type { SecureContext } from 'node:tls';

/** Bytes of a key: name, HMAC key and AES key of 16 bytes each. */
export const TICKET_KEY_BYTES = 48;
const PART = 16;
const NO_KEY = Buffer.alloc(PART);
const REFUSED = 0;
const FOUND = 1;
const RENEW = 2;

/** What OpenSSL asks for: how it went, HMAC key, AES key, and for a new ticket the name of the key and an IV. */
type Answer = [number, Uint8Array?, Uint8Array?, Uint8Array?, Uint8Array?];

interface NativeContext {
  onticketkeycallback?: (name: Uint8Array, iv: Uint8Array, sealing: boolean) => Answer;
  enableTicketKeyCallback?: () => void;
  setTicketKeys(keys: Buffer): void;
}

/** The keys in force, newest first. */
export class TicketKeys {
  /** Without anybody who hands out keys, a process has one of its own. */
  #keys: readonly Uint8Array[] = [randomBytes(TICKET_KEY_BYTES)];

  /** From now on these count. Ignores what is no key. */
  set(keys: readonly Uint8Array[]): void {
    const good = keys.filter((key) => key.length === TICKET_KEY_BYTES);
    if (good.length === 0) return;
    this.#keys = good;
  }

  /** Has a context seal and open tickets with these keys. */
  serve({ context }: SecureContext): void {
    const native = context as NativeContext;
    // Node's own setting knows a single key, so a rotation would cost every client a full handshake. The callback beneath
    // it has been there since 2015; should it ever go, a context keeps the key it began with.
    if (native.enableTicketKeyCallback === undefined) {
      native.setTicketKeys(Buffer.from(this.#keys[0] as Uint8Array));
      return;
    }
    native.onticketkeycallback = (name, _iv, sealing) => this.#answer(name, sealing);
    native.enableTicketKeyCallback();
  }

  #answer(name: Uint8Array, sealing: boolean): Answer {
    const keys = this.#keys;
    for (let i = 0; i < (sealing ? 1 : keys.length); i++) {
      const key = keys[i] as Uint8Array;
      const named = key.subarray(0, PART);
      if (!sealing && Buffer.compare(named, name) !== 0) continue;
      const [mac, seal] = [Buffer.from(key.subarray(PART, 2 * PART)), Buffer.from(key.subarray(2 * PART))];
      if (sealing) return [FOUND, mac, seal, Buffer.from(named), randomBytes(PART)];
      // A TLS 1.3 client uses a ticket once, and has to be given another one (RFC 8446 §C.4).
      return [RENEW, mac, seal];
    }
    // OpenSSL drops these, but Node's wrapping aborts the process where there are none.
    return [REFUSED, NO_KEY, NO_KEY];
  }
}
