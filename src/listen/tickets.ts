/**
 * Keys of session tickets (RFC 5077, RFC 8446 §4.6.1), shared by all workers: a client may resume with any of them, and
 * after a reload. The newest key seals; older ones still open, and then the client gets a new ticket.
 */
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:tls';

/** Bytes of a key: name, HMAC key and AES key of 16 bytes each. */
export const TICKET_KEY_BYTES = 48;
const PART = 16;
const REFUSED = 0;
const FOUND = 1;
const RENEW = 2;

/** What OpenSSL asks for: how it went, HMAC key, AES key, and for a new ticket the name of the key and an IV. */
type Answer = [number, Uint8Array?, Uint8Array?, Uint8Array?, Uint8Array?];

interface NativeContext {
  onticketkeycallback?: (name: Uint8Array, iv: Uint8Array, sealing: boolean) => Answer;
  enableTicketKeyCallback?: () => void;
}

/** The keys in force, newest first. */
export class TicketKeys {
  /** Without anybody who hands out keys, a process has one of its own. */
  #keys: readonly Uint8Array[] = [randomBytes(TICKET_KEY_BYTES)];
  readonly #followers = new Set<WeakRef<Server>>();

  /** From now on these count. Ignores what is no key. */
  set(keys: readonly Uint8Array[]): void {
    const good = keys.filter((key) => key.length === TICKET_KEY_BYTES);
    if (good.length === 0) return;
    this.#keys = good;
    for (const follower of this.#followers) {
      const server = follower.deref();
      if (server === undefined) this.#followers.delete(follower);
      else server.setTicketKeys(Buffer.from(good[0] as Uint8Array));
    }
  }

  /** Has a server seal and open tickets with these keys. */
  serve(server: Server): void {
    const { context } = (server as unknown as { _sharedCreds: { context: NativeContext } })._sharedCreds;
    // Node's own setting knows a single key, so a rotation would cost every client a full handshake. The callback beneath
    // it has been there since 2015; should it ever go, the newest key alone counts.
    if (context.enableTicketKeyCallback === undefined) {
      server.setTicketKeys(Buffer.from(this.#keys[0] as Uint8Array));
      this.#followers.add(new WeakRef(server));
      return;
    }
    context.onticketkeycallback = (name, _iv, sealing) => this.#answer(name, sealing);
    context.enableTicketKeyCallback();
  }

  #answer(name: Uint8Array, sealing: boolean): Answer {
    const keys = this.#keys;
    for (let i = 0; i < (sealing ? 1 : keys.length); i++) {
      const key = keys[i] as Uint8Array;
      const named = key.subarray(0, PART);
      if (!sealing && Buffer.compare(named, name) !== 0) continue;
      const [mac, seal] = [Buffer.from(key.subarray(PART, 2 * PART)), Buffer.from(key.subarray(2 * PART))];
      if (sealing) return [FOUND, mac, seal, Buffer.from(named), randomBytes(PART)];
      return [i === 0 ? FOUND : RENEW, mac, seal];
    }
    return [REFUSED];
  }
}
