/** Certificates ready for handshakes: parsed when first needed, and only so many at once. */
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { type CertificateFacts, factsOf, type Pair } from '../certificate/facts.ts';
import type { TicketKeys } from './tickets.ts';

/** A certificate that can be shown. */
export interface Entry {
  /** Different for every entry ever made in this process. */
  readonly id: number;
  readonly names: readonly string[];
  readonly kind: string;
  readonly pair: Pair;
}

let entries = 0;

/** Makes an entry. Throws when the certificate cannot be read. `facts`: what is known of it already. */
export function entryOf(
  pair: Pair,
  facts: Pick<CertificateFacts, 'names' | 'kind'> = factsOf(pair.certificate),
): Entry {
  return { id: ++entries, names: facts.names, kind: facts.kind, pair };
}

/** A context with what it was made of. */
export interface Ready {
  readonly context: SecureContext;
  readonly entries: readonly Entry[];
  /** OCSP response to be stapled. */
  readonly staple: Buffer | undefined;
  /** All names that it answers for. */
  readonly names: ReadonlySet<string>;
}

/** Contexts kept. One takes some 50 KiB outside the JavaScript heap, and making it anew costs less than a handshake. */
const MOST = 2000;

/** Contexts by the entries they are made of, the most recently used kept. */
export class SecureContexts {
  readonly #options: SecureContextOptions;
  readonly #tickets: TicketKeys;
  readonly #most: number;
  #bare: Ready | undefined;
  readonly #ready = new Map<string, Ready>();

  /** `options`: all but the certificates. */
  constructor(options: SecureContextOptions, tickets: TicketKeys, most = MOST) {
    this.#options = options;
    this.#tickets = tickets;
    this.#most = most;
  }

  /** A context without any certificate. */
  get bare(): Ready {
    this.#bare ??= {
      context: createSecureContext(this.#options),
      entries: [],
      names: new Set(),
      staple: undefined,
    };
    return this.#bare;
  }

  /** Contexts held now. */
  get size(): number {
    return this.#ready.size;
  }

  /** The context for these entries: of each kind of key the first one. Throws when TLS refuses a certificate or key. */
  of(found: Entry | readonly Entry[]): Ready {
    const chosen: Entry[] = [];
    let key = '';
    for (const entry of Array.isArray(found) ? (found as readonly Entry[]) : [found as Entry]) {
      if (chosen.some(({ kind }) => kind === entry.kind)) continue;
      chosen.push(entry);
      key += `${entry.id} `;
    }
    const known = this.#ready.get(key);
    if (known !== undefined) {
      this.#ready.delete(key);
      this.#ready.set(key, known);
      return known;
    }
    const context = createSecureContext({
      ...this.#options,
      cert: chosen.map(({ pair }) => pair.certificate),
      key: chosen.map(({ pair }) => pair.key),
    });
    this.#tickets.serve(context);
    // A client of one kind would get the response for the other: only one that stands alone is stapled.
    const ocsp = chosen.length === 1 ? chosen[0]?.pair.ocsp : undefined;
    const staple = ocsp && Buffer.from(ocsp);
    const ready = { context, entries: chosen, staple, names: new Set(chosen.flatMap(({ names }) => names)) };
    if (this.#ready.size >= this.#most) this.#ready.delete(this.#ready.keys().next().value as string);
    this.#ready.set(key, ready);
    return ready;
  }
}
