/** Client certificates: what the listener has accepted → whom it stands for, by the rules of the configuration. */
import type { Clock } from '../../kernel/clock.ts';
import type { Exchange } from '../../kernel/exchange.ts';
import type { ClientCertificate, Identity } from '../../kernel/identity.ts';
import type { Authenticator, AuthFailure, AuthVerdict } from './authenticator.ts';
import type { CertificateRule } from './config.ts';

const UNKNOWN: AuthFailure = { failed: 'unknown', message: 'The client certificate stands for nobody here.' };
const EXPIRED: AuthFailure = { failed: 'expired', message: 'The client certificate has expired.' };

/** Identities of client certificates, each made once for a connection. */
export class Certificates implements Authenticator {
  readonly method = 'certificate';
  readonly challenges = [];
  readonly #clock: Clock;
  readonly #rules: readonly CertificateRule[];
  readonly #known = new WeakMap<ClientCertificate, Identity | AuthFailure>();

  constructor(clock: Clock, rules: readonly CertificateRule[]) {
    this.#clock = clock;
    this.#rules = rules;
  }

  recognizes(): boolean {
    return false;
  }

  authenticate(): AuthVerdict {
    return UNKNOWN;
  }

  fromConnection(exchange: Exchange): AuthVerdict | undefined {
    const certificate = exchange.inbound.tls?.certificate;
    if (certificate === undefined) return undefined;
    if (this.#clock.wall() >= certificate.notAfter) return EXPIRED;
    let known = this.#known.get(certificate);
    if (known === undefined) {
      known = this.#identify(certificate);
      this.#known.set(certificate, known);
    }
    return known;
  }

  #identify(certificate: ClientCertificate): Identity | AuthFailure {
    const rule = this.#rules.find((one) => matches(one, certificate));
    if (rule === undefined) return UNKNOWN;
    const principal = rule.principal ?? rule.name;
    return {
      method: 'certificate',
      principal,
      credential: `x5t:${certificate.thumbprint}`,
      account: principal,
      tenant: rule.tenant,
      plan: rule.plan,
      scopes: new Set(rule.scopes),
      roles: new Set(rule.roles),
      models: rule.models,
      priority: rule.priority,
      claims: { subject: certificate.subject, issuer: certificate.issuer, names: certificate.names },
      expiresAt: certificate.notAfter,
    };
  }
}

function matches({ subject, issuer, san, thumbprint }: CertificateRule, certificate: ClientCertificate): boolean {
  if (subject !== undefined && subject !== certificate.subject) return false;
  if (issuer !== undefined && issuer !== certificate.issuer) return false;
  if (thumbprint !== undefined && thumbprint !== certificate.thumbprint) return false;
  if (san === undefined) return true;
  if (!san.endsWith('*')) return certificate.names.includes(san);
  return certificate.names.some((name) => name.startsWith(san.slice(0, -1)));
}
