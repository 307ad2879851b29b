/** The answers to who is not let in: 401, 403 and 400 with `WWW-Authenticate` as RFC 6750 §3 has it. */
import { GatehouseError } from '../../kernel/error.ts';
import type { AuthFailure } from './authenticator.ts';

const HOW = 'Send it as `Authorization: Bearer KEY`, or in x-api-key or api-key.';

const UNCERTIFIED = 'This needs a client certificate, and none was shown. Set certificate and key in your client.';

type Field = readonly [string, string];

/** Makes the answers of one realm. Those to strangers name nothing of the configuration. */
export class Challenges {
  readonly #bearer: string;
  /** What stands at the end of each challenge, with a comma before it. */
  readonly #more: string;
  readonly #others: readonly Field[];

  /**
   * `others`: challenges of other schemes, for who has shown nothing; `metadata`: URL of the metadata of this resource
   * (RFC 9728 §5.1).
   */
  constructor(realm: string, others: readonly string[], metadata?: string) {
    this.#bearer = `Bearer realm="${realm}"`;
    this.#more = metadata === undefined ? '' : `, resource_metadata="${metadata}"`;
    this.#others = others.map((value): Field => ['WWW-Authenticate', value + this.#more]);
  }

  /** Nothing was shown. RFC 6750 §3.1: then no error code is told. */
  missing(rule: string): GatehouseError {
    const fields: Field[] = [['WWW-Authenticate', this.#bearer + this.#more], ...this.#others];
    return new GatehouseError('unauthorized', `This needs a credential, and none was sent. ${HOW}`, {
      rule,
      quiet: true,
      fields,
    });
  }

  /**
   * Only client certificates count, and none was shown, or one that does not. 403 and not 401: that would have to name a
   * challenge (RFC 9110 §15.5.2), none is registered for certificates, and `Bearer` would ask for what helps nobody here.
   */
  uncertified(rule: string, message = UNCERTIFIED): GatehouseError {
    return new GatehouseError('forbidden', message, { rule, quiet: true });
  }

  /** What was shown can be read in more than one way, or not at all. */
  ambiguous(rule: string, message: string): GatehouseError {
    const fields: Field[] = [
      ['WWW-Authenticate', `${this.#bearer}, error="invalid_request", error_description="${message}"`],
    ];
    return new GatehouseError('bad_request', message, { rule, quiet: true, fields, close: false });
  }

  /** What was shown is not accepted. */
  refused(rule: string, failure: AuthFailure): GatehouseError {
    const { message, error = 'invalid_token', scheme = 'Bearer', parameters, retryAfterMs } = failure;
    if (retryAfterMs !== undefined)
      return new GatehouseError('auth_unavailable', message, { rule, quiet: true, retryAfterMs });
    const start = scheme === 'Bearer' ? this.#bearer : `DPoP ${this.#bearer.slice('Bearer '.length)}`;
    const more = parameters === undefined ? '' : `, ${parameters}`;
    const challenge = `${start}, error="${error}", error_description="${message}"${more}${this.#more}`;
    const fields: Field[] = [['WWW-Authenticate', challenge], ...(failure.fields ?? [])];
    return new GatehouseError('unauthorized', message, { rule, quiet: true, fields });
  }

  /** Who it is is known, and is not allowed that here (RFC 6750 §3.1). */
  lacking(rule: string, scopes: readonly string[]): GatehouseError {
    const list = scopes.join(' ');
    const message = `This credential lacks the scope that is needed here: ${list}.`;
    const fields: Field[] = [
      [
        'WWW-Authenticate',
        `${this.#bearer}, error="insufficient_scope", error_description="${message}", scope="${list}"${this.#more}`,
      ],
    ];
    return new GatehouseError('forbidden', message, { rule, fields });
  }

  /** Too many failures from there. */
  throttled(rule: string, waitMs: number): GatehouseError {
    const message =
      'Too many failed logins from this address or with keys like this. Wait, and look at the key you send.';
    return new GatehouseError('rate_limited', message, { rule, quiet: true, retryAfterMs: Math.max(1000, waitMs) });
  }
}
