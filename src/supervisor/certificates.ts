/**
 * The certificates that come and go while the program runs: from folders, from authorities by ACME, from the store. Read and
 * checked here once, told to all workers as the topic `tls`, with the keys of session tickets and answers to challenges.
 */
import type { Proof } from '../certificate/acme.ts';
import { checkDomain, type DomainDocumentChange, pairOf } from '../certificate/domain.ts';
import { ExpiryWatch, type InUse, shownExpiries } from '../certificate/expiry.ts';
import type { CertificateFacts, Pair } from '../certificate/facts.ts';
import { Issuer } from '../certificate/issuer.ts';
import { type Send, sender } from '../certificate/request.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { AcmeConfig } from '../listen/config.ts';
import type { DomainChange, TlsNews } from '../listen/tlsshared.ts';
import { Folders } from './folders.ts';
import { type CertificateConfig, inUse, ownCertificates } from './inuse.ts';
import type { Services } from './services.ts';
import { type HandedKey, TicketRing } from './ticketring.ts';

/** What it needs. */
export interface CertificatesParts {
  clock: Clock;
  services: Services;
  notice(notice: NoticeEvent): void;
  /** Certificates in use that expire soonest. */
  expiries(soonest: readonly InUse[]): void;
  /** An attempt to have a certificate issued has ended. */
  attempted(result: 'issued' | 'failed'): void;
  /** Names this program to authorities. */
  agent: string;
}

const HOUR_MS = 3_600_000;
/** Certificates in one message to a worker. */
const PAGE = 200;
/** How long workers may take to hear of a challenge; one that is stuck is none that the authority meets. */
const HEARD_MS = 5000;
/** After this long the program before us accepts no more. */
const LEFT_MS = 5000;

interface Served {
  change: DomainChange;
  inUse: InUse;
}

/** See the file's head. */
export class Certificates {
  readonly #parts: CertificatesParts;
  readonly #served = new Map<string, Served>();
  readonly #proofs = new Set<Proof>();
  readonly #folders: Folders;
  readonly #issuers = new Map<string, Issuer>();
  readonly #documents = new Map<string, DomainDocumentChange & { document: object }>();
  readonly #watch = new ExpiryWatch();
  readonly #tickets: TicketRing;
  #own: InUse[] = [];
  #config: CertificateConfig = { listeners: {} };
  #files: Readonly<Record<string, string>> = {};
  #timer: Timer | undefined;
  #live = false;
  #tookOver = false;
  #beginning: Timer | undefined;

  /** Publishes the topic; call before the supervisor starts. */
  constructor(parts: CertificatesParts) {
    this.#parts = parts;
    this.#tickets = new TicketRing(parts.clock, () => this.#push({ tickets: this.#tickets.keys }));
    this.#folders = new Folders({
      clock: parts.clock,
      serve: (id, listener, found) => this.#serve(id, listener, found?.pair, found?.facts, 'folder'),
      looked: () => this.#expiry(),
      failed: (text) => this.#error(text),
    });
    parts.services.publish('tls', () => this.#pages());
  }

  /** Reads what there is for this configuration, and watches it from now on. Resolves when folders have been read. */
  async start(config: CertificateConfig, files: Readonly<Record<string, string>>): Promise<void> {
    this.#tickets.start();
    this.#timer = this.#parts.clock.every(HOUR_MS, () => this.#expiry());
    await this.update(config, files);
  }

  /** Listeners are open, so an authority that looks for a proof finds it: begins to have certificates issued. */
  begin(): void {
    // The program before us accepts until it has heard that we serve, and knows nothing of our challenges.
    this.#beginning = this.#parts.clock.after(this.#tookOver ? LEFT_MS : 0, () => {
      this.#live = true;
      for (const issuer of this.#issuers.values()) issuer.begin();
    });
  }

  /** Goes over to another configuration. `files`: as the workers get them. */
  async update(config: CertificateConfig, files: Readonly<Record<string, string>>): Promise<void> {
    this.#config = config;
    this.#files = files;
    this.#own = ownCertificates(config, files);
    await this.#folders.follow(config);
    this.#followIssuers();
    this.#expiry();
  }

  /** Documents of the store that have come, changed or gone; what is wrong with one is reported, and the one before stays. */
  setDomains(changes: Iterable<DomainDocumentChange>): void {
    const now = this.#parts.clock.wall();
    let acme = false;
    for (const { id, document } of changes) {
      acme ||= document?.acme === true || this.#documents.get(id)?.document?.acme === true;
      if (document === undefined) {
        this.#documents.delete(id);
        this.#serve(`store:${id}`, '', undefined, undefined, 'store');
        continue;
      }
      try {
        const facts = checkDomain(id, document, now);
        this.#documents.set(id, { id, document });
        this.#serve(`store:${id}`, document.listener, pairOf(document), facts, 'store');
      } catch (error) {
        this.#error(`the domain ${id} cannot be served: ${(error as Error).message}`);
      }
    }
    if (acme) this.#followIssuers();
    this.#expiry();
  }

  /** The keys of session tickets, for the program that takes over. */
  handOver(): HandedKey[] {
    return this.#tickets.handOver();
  }

  /** Goes on with those of the program before this one. */
  takeOver(tickets: readonly HandedKey[]): void {
    this.#tookOver = tickets.length > 0;
    this.#tickets.takeOver(tickets);
  }

  /** Ends all watching and issuing. */
  stop(): void {
    this.#live = false;
    this.#beginning?.cancel();
    this.#tickets.stop();
    this.#timer?.cancel();
    this.#folders.stop();
    for (const issuer of this.#issuers.values()) issuer.stop();
    this.#issuers.clear();
  }

  // ---- to the workers

  *#pages(): Generator<TlsNews> {
    yield { tickets: this.#tickets.keys, challenges: [...this.#proofs] };
    let page: DomainChange[] = [];
    for (const { change } of this.#served.values()) {
      if (page.push(change) < PAGE) continue;
      yield { domains: page };
      page = [];
    }
    if (page.length > 0) yield { domains: page };
  }

  #push(news: TlsNews): void {
    this.#parts.services.push('tls', news);
  }

  #serve(
    id: string,
    listener: string,
    pair: Pair | undefined,
    facts: CertificateFacts | undefined,
    source: string,
  ): void {
    if (pair === undefined || facts === undefined) {
      if (this.#served.delete(id)) this.#push({ domains: [{ id, listener, pair: undefined }] });
      return;
    }
    const change: DomainChange = { id, listener, pair, names: facts.names, kind: facts.kind };
    this.#served.set(id, { change, inUse: inUse(source, facts) });
    this.#push({ domains: [change] });
  }

  // ---- authorities

  #followIssuers(): void {
    const wanted = new Map<string, { acme: AcmeConfig; names: Set<string> }>();
    const byListener = new Map<string, Set<string>>();
    for (const [listener, { tls }] of Object.entries(this.#config.listeners)) {
      if (tls?.acme === undefined) continue;
      const { domains, ...rest } = tls.acme;
      const key = JSON.stringify(rest);
      const there = wanted.get(key) ?? { acme: tls.acme, names: new Set<string>() };
      wanted.set(key, there);
      byListener.set(listener, there.names);
      for (const name of domains) there.names.add(name.toLowerCase());
    }
    const [only] = byListener.size === 1 || wanted.size === 1 ? byListener.values() : [];
    for (const { id, document } of this.#documents.values()) {
      if (!document.acme) continue;
      const names = byListener.get(document.listener) ?? only;
      if (names === undefined)
        this.#error(`the domain ${id} is to be had by ACME, but no listener has \`tls.acme\` for it`);
      else names.add(id);
    }
    for (const [key, issuer] of this.#issuers) {
      if (wanted.has(key)) continue;
      issuer.stop();
      this.#issuers.delete(key);
    }
    const all = new Set([...wanted.values()].flatMap(({ names }) => [...names]));
    for (const id of [...this.#served.keys()]) {
      if (id.startsWith('acme:') && !all.has(id.slice('acme:'.length)))
        this.#serve(id, '', undefined, undefined, 'acme');
    }
    for (const [key, { acme, names }] of wanted) {
      let issuer = this.#issuers.get(key);
      if (issuer === undefined) {
        issuer = this.#issuer(acme);
        this.#issuers.set(key, issuer);
      }
      issuer.follow(names);
      if (this.#live) issuer.begin();
    }
  }

  #issuer(acme: AcmeConfig): Issuer {
    const { clock, agent, notice, attempted } = this.#parts;
    const ca = acme.ca === undefined ? undefined : this.#files[acme.ca];
    const send: Send = sender(clock, ca, agent);
    return new Issuer({
      settings: acme,
      clock,
      send,
      notice,
      attempted,
      ready: (domain, pair, facts) => {
        this.#serve(`acme:${domain}`, '', pair, facts, 'acme');
        this.#expiry();
      },
      show: (proof) => {
        this.#proofs.add(proof);
        this.#push({ challenges: [...this.#proofs] });
        return this.#heard(proof);
      },
      hide: (proof) => {
        this.#proofs.delete(proof);
        this.#push({ challenges: [...this.#proofs] });
      },
    });
  }

  async #heard({ domain }: Proof): Promise<void> {
    const missing = await this.#parts.services.confirm('tls', HEARD_MS);
    if (missing === 0) return;
    const message = `${missing} workers have not heard of the challenge for ${domain} in ${HEARD_MS / 1000} s`;
    this.#parts.notice({ level: 'warn', message: `${message}; if the authority meets one of them, the attempt fails` });
  }

  // ---- expiry

  #expiry(): void {
    const { clock, notice, expiries } = this.#parts;
    const all = [...this.#own, ...[...this.#served.values()].map((one) => one.inUse)];
    expiries(shownExpiries(all));
    for (const { level, message } of this.#watch.due(all, clock.wall())) notice({ level, message });
  }

  #error(message: string): void {
    this.#parts.notice({ level: 'error', message });
  }
}
