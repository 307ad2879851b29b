/** Certificates ready for handshakes: parsed when first needed, and only so many at once. */
import { createHash, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { type CertificateFacts, factsOf, type Pair } from '../certificate/facts.ts';

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
  /** All names that it answers for. */
  readonly names: ReadonlySet<string>;
}

/** Contexts kept. One takes some 30 KiB outside the JavaScript heap, and making it anew costs less than a handshake. */
const MOST = 2000;

/** Contexts by the entries they are made of, the most recently used kept. */
export class SecureContexts {
  readonly #options: SecureContextOptions;
  readonly #most: number;
  readonly #ready = new Map<string, Ready>();
  readonly #staples = new Map<string, Uint8Array>();

  /** `options`: all but the certificates. */
  constructor(options: SecureContextOptions, most = MOST) {
    this.#options = options;
    this.#most = most;
  }

  /** DER of a certificate that was shown → what is stapled to it. */
  stapleFor(certificate: Uint8Array): Buffer | undefined {
    if (this.#staples.size === 0 || certificate === undefined) return undefined;
    const staple = this.#staples.get(createHash('sha256').update(certificate).digest('hex'));
    return staple && Buffer.from(staple);
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
    for (const { pair } of chosen) {
      if (pair.ocsp === undefined) continue;
      const { raw } = new X509Certificate(pair.certificate);
      this.#staples.set(createHash('sha256').update(raw).digest('hex'), pair.ocsp);
    }
    const ready = { context, entries: chosen, names: new Set(chosen.flatMap(({ names }) => names)) };
    if (this.#ready.size >= this.#most) this.#ready.delete(this.#ready.keys().next().value as string);
    this.#ready.set(key, ready);
    return ready;
  }
}
