/** The gate of a route: who may pass, told by what the request shows. */
import type { FieldSection } from '../../http/fields.ts';
import type { GatehouseError } from '../../kernel/error.ts';
import type { Events } from '../../kernel/event.ts';
import type { Exchange } from '../../kernel/exchange.ts';
import type { Identity } from '../../kernel/identity.ts';
import type { AccessMethod, Authenticator, AuthFailure, AuthVerdict, FailureReason } from './authenticator.ts';
import { isIdentity } from './authenticator.ts';
import type { Challenges } from './challenge.ts';
import { readShown, type ShownFault, shown } from './shown.ts';
import type { Throttle, ThrottleSettings } from './throttle.ts';

/** What a route asks for. */
export interface RouteAccess {
  readonly anyOf: readonly AccessMethod[];
  readonly scopes: readonly string[];
  readonly forwardCredential: boolean;
}

/** What a gate is made of. */
export interface GateParts {
  events: Events;
  challenges: Challenges;
  throttle: Throttle;
  failures: ThrottleSettings;
}

const FAULTS: Record<Exclude<ShownFault, 'none'>, { reason: FailureReason; message: string }> = {
  several: {
    reason: 'ambiguous',
    message: 'More than one credential was sent: send one, in one field.',
  },
  spelling: {
    reason: 'ambiguous',
    message: 'A field with a credential is written with _ for -: write Authorization, x-api-key or api-key.',
  },
  scheme: {
    reason: 'unsupported',
    message: 'The scheme of the Authorization field is not known here: write Bearer and the credential after it.',
  },
  empty: {
    reason: 'malformed',
    message: 'The field for the credential is empty: is the variable with the key set?',
  },
};

const REVOKED: AuthFailure = {
  failed: 'revoked',
  message: 'The credential of this request has been revoked.',
};

const UNSUPPORTED: AuthFailure = {
  failed: 'unsupported',
  message: 'A credential of this kind is not taken here.',
};

/** Lets callers through, or says why not. */
export class AccessGate {
  /** Credentials in the head are for this gate, and do not go on to the upstream. */
  readonly takesCredential: boolean;
  readonly #methods: readonly Authenticator[];
  /** Methods that read fields of the head. */
  readonly #readers: readonly Authenticator[];
  readonly #scopes: readonly string[];
  readonly #parts: GateParts;

  constructor(settings: RouteAccess, methods: readonly Authenticator[], parts: GateParts) {
    this.#methods = methods;
    this.#readers = methods.filter(({ method }) => method !== 'certificate');
    this.takesCredential = this.#readers.length > 0 && !settings.forwardCredential;
    this.#scopes = settings.scopes;
    this.#parts = parts;
  }

  /**
   * Sets the identity of the exchange, or returns why it may not pass; a promise of one where an authenticator must wait.
   * `head`: the exchange's, as the codec has it.
   */
  check(exchange: Exchange, head: FieldSection): GatehouseError | undefined | Promise<GatehouseError | undefined> {
    const fault = this.#readers.length === 0 ? 'none' : readShown(head);
    if (fault !== undefined) return this.#withoutCredential(exchange, fault);
    const { scheme, credential } = shown;
    for (const method of this.#readers) {
      if (!method.recognizes(scheme, credential)) continue;
      if (method.guessable?.(credential)) {
        const held = this.#hold(exchange, method.method, credential);
        if (held !== undefined) return held;
      }
      const verdict = method.authenticate(scheme, credential, exchange);
      if (!(verdict instanceof Promise)) return this.#judge(exchange, method.method, verdict, credential);
      return verdict.then((late) => this.#judge(exchange, method.method, late, credential));
    }
    return this.#refuse(exchange, undefined, UNSUPPORTED, credential);
  }

  /** The answer to who is on the way with a credential that has been taken back. */
  revoked(route: string): GatehouseError {
    return this.#parts.challenges.refused(route, REVOKED);
  }

  /** A guess from where too many have failed is not even looked up. */
  #hold(exchange: Exchange, method: AccessMethod, credential: string): GatehouseError | undefined {
    const { throttle, failures, challenges } = this.#parts;
    const wait = throttle.hold(failures, exchange.inbound.clientAddress, credential);
    if (wait === 0) return undefined;
    this.#tell(exchange, method, 'throttled');
    return challenges.throttled(exchange.route, wait);
  }

  #withoutCredential(exchange: Exchange, fault: ShownFault): GatehouseError | undefined {
    const { challenges } = this.#parts;
    if (fault !== 'none') {
      const { reason, message } = FAULTS[fault];
      this.#tell(exchange, undefined, reason);
      if (reason === 'ambiguous') return challenges.ambiguous(exchange.route, message);
      return challenges.refused(exchange.route, { failed: reason, message });
    }
    for (const method of this.#methods) {
      const verdict = method.fromConnection?.(exchange);
      if (verdict !== undefined) return this.#judge(exchange, method.method, verdict, '');
    }
    this.#tell(exchange, undefined, 'missing');
    return this.#readers.length > 0 ? challenges.missing(exchange.route) : challenges.uncertified(exchange.route);
  }

  #judge(
    exchange: Exchange,
    method: AccessMethod,
    verdict: AuthVerdict,
    credential: string,
  ): GatehouseError | undefined {
    if (!isIdentity(verdict)) return this.#refuse(exchange, method, verdict, credential);
    exchange.identity = verdict;
    return this.#lacks(verdict) ? this.#lacking(exchange, verdict) : undefined;
  }

  #lacks({ scopes }: Identity): boolean {
    const wanted = this.#scopes;
    for (let i = 0; i < wanted.length; i++) if (!scopes.has(wanted[i] as string)) return true;
    return false;
  }

  #lacking(exchange: Exchange, identity: Identity): GatehouseError {
    this.#tell(exchange, identity.method, 'scope');
    return this.#parts.challenges.lacking(exchange.route, this.#scopes);
  }

  #refuse(
    exchange: Exchange,
    method: AccessMethod | undefined,
    failure: AuthFailure,
    credential: string,
  ): GatehouseError {
    const { throttle, failures, challenges } = this.#parts;
    const { clientAddress } = exchange.inbound;
    if (failure.harmless === true || failure.retryAfterMs !== undefined) {
      this.#tell(exchange, method, failure.failed);
      return challenges.refused(exchange.route, failure);
    }
    const wait = throttle.wait(failures, clientAddress, credential);
    throttle.failed(failures, clientAddress, credential);
    this.#tell(exchange, method, wait > 0 ? 'throttled' : failure.failed);
    if (wait > 0) return challenges.throttled(exchange.route, wait);
    if (this.#readers.length === 0) return challenges.uncertified(exchange.route, failure.message);
    return challenges.refused(exchange.route, failure);
  }

  #tell(exchange: Exchange, method: AccessMethod | undefined, reason: FailureReason): void {
    this.#parts.events.emit('authFailed', { method: method ?? 'none', reason, route: exchange.route });
  }
}
