/**
 * Which requests may come on a connection over TLS: those for hosts that it was opened for, while the rules for certificates of
 * clients let it in. It was judged by the rules of its handshake; when they change, its next request has it judged anew.
 */
import type { X509Certificate } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Authorities } from '../certificate/path.ts';
import type { Clock } from '../kernel/clock.ts';
import { GatehouseError } from '../kernel/error.ts';
import type { ClientCertificate } from '../kernel/identity.ts';
import { judge, type Refusal } from './clientcertificate.ts';
import type { ClientCertificatesConfig, TlsConfig } from './tlsconfig.ts';

/** Rules of a listener, with the texts of the files that they name. The same object for as long as nothing changes. */
export interface ClientRules {
  /** Undefined: nobody is asked for a certificate. */
  readonly config: ClientCertificatesConfig | undefined;
  readonly ca: string | undefined;
  readonly crl: string | undefined;
}

const NO_RULES: ClientRules = { config: undefined, ca: undefined, crl: undefined };

/** The rules of a listener as they hold now, for all its connections. */
export class RulesInForce {
  now: ClientRules = NO_RULES;
  #authorities: Authorities | undefined = undefined;

  /** What the rules of these settings are: those in force where they are alike. */
  of({ clientCertificates: config }: TlsConfig, readText: (path: string) => string): ClientRules {
    if (config === undefined) return NO_RULES;
    const text = (path: string | undefined) => (path === undefined ? undefined : readText(path));
    const rules = { config, ca: text(config.ca), crl: text(config.crl) };
    return isDeepStrictEqual(rules, this.now) ? this.now : rules;
  }

  /** Goes over to others; none when left out. */
  set(rules: ClientRules = NO_RULES): void {
    if (rules === this.now) return;
    this.now = rules;
    this.#authorities = undefined;
  }

  /** Why no authority vouches for a certificate by the rules in force; '' when one does. */
  trouble(shown: X509Certificate | undefined, at: number): string {
    const { ca, crl } = this.now;
    if (shown === undefined || ca === undefined) return 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY';
    try {
      this.#authorities ??= new Authorities(ca, crl);
      return this.#authorities.trouble(shown, at);
    } catch (error) {
      return (error as Error).message;
    }
  }
}

/** What a connection was let in by. */
export interface StandingParts {
  readonly clock: Clock;
  readonly inForce: RulesInForce;
  /** The rules of its handshake. */
  readonly rules: ClientRules;
  readonly certificate: ClientCertificate | undefined;
  /**
   * Whether requests for a host may come: because the client asked for that name, or the certificate shown for it covers the
   * host (RFC 9110 §15.5.20). Undefined when the client named none.
   */
  readonly covers: ((host: string) => boolean) | undefined;
  /** What OpenSSL had against the certificate; '' for nothing. */
  readonly trouble: string;
  /** The certificate itself, with what came along where that is known: not for a session that was resumed. */
  readonly shown: X509Certificate | undefined;
  /** It is not let in any more. */
  onRefused(refusal: Refusal): void;
}

/** See the file's head. */
export class Standing {
  readonly #parts: StandingParts;
  /** The rules by which it was judged last. */
  #rules: ClientRules;
  #trouble: string;
  #refused: GatehouseError | undefined = undefined;
  /** The last host that was found covered. */
  #covered = '';

  constructor(parts: StandingParts) {
    this.#parts = parts;
    this.#rules = parts.rules;
    this.#trouble = parts.trouble;
  }

  /** What to answer to a request for this host; undefined: it may go on. */
  refusal(host: string): GatehouseError | undefined {
    const { inForce, covers } = this.#parts;
    if (this.#rules !== inForce.now) this.#judge();
    if (this.#refused !== undefined || covers === undefined || host === this.#covered) return this.#refused;
    if (!covers(host)) {
      const what = `${host} is not covered by the certificate of this connection: open another one for it`;
      return new GatehouseError('misdirected_request', what);
    }
    this.#covered = host;
    return undefined;
  }

  #judge(): void {
    const { inForce, certificate, clock, shown, onRefused } = this.#parts;
    const before = this.#rules;
    const { config, ca, crl } = inForce.now;
    this.#rules = inForce.now;
    this.#refused = undefined;
    if (certificate !== undefined && (ca !== before.ca || crl !== before.crl))
      this.#trouble = inForce.trouble(shown, clock.wall());
    const refusal =
      config === undefined
        ? notAsked(certificate)
        : judge(config, certificate, this.#trouble === '', this.#trouble, clock.wall());
    if (refusal === undefined) return;
    onRefused(refusal);
    const what =
      certificate === undefined
        ? 'a client certificate is asked for here by now: open another connection and show one'
        : 'the client certificate of this connection is not accepted here any more: open another connection, with one that is';
    this.#refused = new GatehouseError('misdirected_request', what, { close: true });
  }
}

/** Nobody looks at certificates any more: one that was shown before must not count either. */
function notAsked(certificate: ClientCertificate | undefined): Refusal | undefined {
  if (certificate === undefined) return undefined;
  return { fault: 'client_certificate_untrusted', reason: 'no certificates are asked for any more' };
}
