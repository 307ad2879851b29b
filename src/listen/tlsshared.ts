/**
 * What all TLS listeners of a worker share and the supervisor keeps up to date: certificates that come and go while the
 * program runs, the keys of session tickets, and the answers to an authority's challenges.
 */
import type { Pair } from '../certificate/facts.ts';
import { NameTable } from './names.ts';
import { type Entry, entryOf } from './secure.ts';
import { TicketKeys } from './tickets.ts';

/** A certificate that has come, changed, or gone (`pair` is undefined). */
export interface DomainChange {
  /** What it is known by; a later change with the same id replaces it. */
  readonly id: string;
  /** The listener it is for; '' for all. */
  readonly listener: string;
  readonly pair: Pair | undefined;
  /** Names and kind of key, if whoever sends it has read them already. */
  readonly names?: readonly string[] | undefined;
  readonly kind?: string | undefined;
}

/** The answer to a challenge of an authority that is under way (RFC 8555 §8). */
export interface Challenge {
  readonly type: 'http-01' | 'tls-alpn-01';
  readonly domain: string;
  readonly token: string;
  readonly keyAuthorization: string;
}

/** News for the TLS listeners. What is left out stays as it is. Plain data, as it travels between processes. */
export interface TlsNews {
  readonly domains?: readonly DomainChange[];
  /** All ticket keys in force, newest first; 48 bytes each. */
  readonly tickets?: readonly Uint8Array[];
  /** All challenges under way. */
  readonly challenges?: readonly Challenge[];
}

/** See the file's head. */
export class TlsShared {
  readonly tickets = new TicketKeys();
  readonly #entries = new Map<string, { listener: string; entry: Entry }>();
  readonly #tables = new Map<string, NameTable<Entry>>();
  /** One text for each chain, however many certificates it leads from to the same authority. */
  readonly #chains = new Map<string, string>();
  /** While everything is told anew: what has not been told yet. */
  #stale: Set<string> | undefined = undefined;
  #byToken = new Map<string, Challenge>();
  #byDomain = new Map<string, Challenge>();

  /** Certificates for one listener; '' for those of all. */
  table(listener: string): NameTable<Entry> {
    let table = this.#tables.get(listener);
    if (table === undefined) {
      table = new NameTable();
      this.#tables.set(listener, table);
    }
    return table;
  }

  /** Certificates held now. */
  get size(): number {
    return this.#entries.size;
  }

  /** Takes news in; returns what could not be used, in words. */
  take(news: TlsNews): string[] {
    const problems: string[] = [];
    if (news.tickets !== undefined) this.tickets.set(news.tickets);
    if (news.challenges !== undefined) {
      const of = (type: Challenge['type']) => news.challenges?.filter((one) => one.type === type) ?? [];
      this.#byToken = new Map(of('http-01').map((one) => [one.token, one]));
      this.#byDomain = new Map(of('tls-alpn-01').map((one) => [one.domain.toLowerCase(), one]));
    }
    for (const change of news.domains ?? []) {
      try {
        this.#change(change);
      } catch (error) {
        problems.push(`certificate ${change.id}: ${error instanceof Error ? error.message : error}`);
      }
    }
    return problems;
  }

  /** All certificates are about to be told anew; those that are not will be gone at `endLoad`. */
  beginLoad(): void {
    this.#stale = new Set(this.#entries.keys());
  }

  /** All have been told. */
  endLoad(): void {
    for (const id of this.#stale ?? []) this.#change({ id, listener: '', pair: undefined });
    this.#stale = undefined;
  }

  /** The key authorization for a token of http-01, when such a challenge is under way. */
  answer(token: string): string | undefined {
    return this.#byToken.get(token)?.keyAuthorization;
  }

  /** The tls-alpn-01 challenge for a domain, when one is under way. */
  challengeFor(domain: string): Challenge | undefined {
    return this.#byDomain.get(domain);
  }

  /** Challenges by http-01 are under way. */
  get answersTokens(): boolean {
    return this.#byToken.size > 0;
  }

  /** Challenges by tls-alpn-01 are under way. */
  get answersHandshakes(): boolean {
    return this.#byDomain.size > 0;
  }

  #change({ id, listener, pair, names, kind }: DomainChange): void {
    this.#stale?.delete(id);
    const before = this.#entries.get(id);
    // The new one is read first: one that is damaged leaves the old one in place.
    const entry =
      pair && entryOf(this.#compact(pair), names !== undefined && kind !== undefined ? { names, kind } : undefined);
    if (before !== undefined) this.table(before.listener).remove(before.entry);
    if (entry === undefined) {
      this.#entries.delete(id);
      return;
    }
    this.#entries.set(id, { listener, entry });
    this.table(listener).add(entry);
  }

  /** The same pair with the authority's part of its chain shared. */
  #compact(pair: Pair): Pair {
    const end = '-----END CERTIFICATE-----';
    const cut = pair.certificate.indexOf(end) + end.length;
    if (cut < end.length || cut + end.length >= pair.certificate.length) return pair;
    const rest = pair.certificate.slice(cut);
    let chain = this.#chains.get(rest);
    if (chain === undefined) {
      chain = Buffer.from(rest).toString();
      if (this.#chains.size >= MOST_CHAINS) this.#chains.clear();
      this.#chains.set(chain, chain);
    }
    const own = Buffer.from(pair.certificate.slice(0, cut)).toString();
    return { certificate: own + chain, key: pair.key, ...(pair.ocsp && { ocsp: pair.ocsp }) };
  }
}

const MOST_CHAINS = 1000;
