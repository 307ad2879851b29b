/** What travels between a worker, which holds the client's connection, and the service, which decides. */

/** A request, as far as the service needs it. */
export interface ServiceRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** Its address as the client sees it: what a DPoP proof must name. */
  readonly uri: string;
  /** IP address of the client. */
  readonly address: string;
  /** SHA-256 of the client's certificate in base64url; '' without one. */
  readonly thumbprint: string;
  /** Fields by lower-case name; those of `SERVICE_FIELDS` that were there. One that was there twice is joined with a comma. */
  readonly fields: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Fields of a request that travel. */
export const SERVICE_FIELDS = ['authorization', 'content-type', 'dpop', 'origin', 'sec-fetch-site'] as const;

/** An answer. */
export interface ServiceAnswer {
  readonly status: number;
  readonly fields: readonly (readonly [string, string])[];
  readonly body: string;
}

/** Bytes of a body that a service takes. */
export const SERVICE_BODY_MAX = 64 * 1024;

const NO_STORE: readonly (readonly [string, string])[] = [
  ['Cache-Control', 'no-store'],
  ['Pragma', 'no-cache'],
];

/** JSON that nobody may keep (RFC 6749 §5.1). */
export function json(status: number, body: object, more: ServiceAnswer['fields'] = []): ServiceAnswer {
  const fields = [['Content-Type', 'application/json'] as const, ...NO_STORE, ...more];
  return { status, fields, body: JSON.stringify(body) };
}

/** JSON that may be kept for a while, by anybody, from anywhere. */
export function published(body: object, seconds: number): ServiceAnswer {
  const fields = [
    ['Content-Type', 'application/json'],
    ['Cache-Control', `public, max-age=${seconds}`],
    ['Access-Control-Allow-Origin', '*'],
  ] as const;
  return { status: 200, fields, body: JSON.stringify(body) };
}

/** Error codes of RFC 6749 §5.2, 7009 §2.2.1, 8628 §3.5, 8693 §2.2.2, 8707 §2 and 9449 §5. */
export type OAuthCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'unsupported_token_type'
  | 'invalid_scope'
  | 'invalid_target'
  | 'authorization_pending'
  | 'slow_down'
  | 'access_denied'
  | 'expired_token'
  | 'invalid_dpop_proof'
  | 'use_dpop_nonce'
  | 'temporarily_unavailable';

/** A refusal; thrown by what decides, and answered in one place. */
export class OAuthError extends Error {
  readonly code: OAuthCode;
  readonly status: number;
  readonly fields: ServiceAnswer['fields'];

  /** `description`: a sentence for whoever writes the client. */
  constructor(code: OAuthCode, description: string, status = 400, fields: ServiceAnswer['fields'] = []) {
    super(description);
    this.code = code;
    this.status = status;
    this.fields = fields;
  }

  answer(): ServiceAnswer {
    // The description holds no quote and no backslash (RFC 6749 §5.2).
    const description = this.message.replace(/["\\]/g, "'").replace(/[^\x20-\x7e]/g, '?');
    return json(this.status, { error: this.code, error_description: description }, this.fields);
  }
}

/** A form (RFC 6749 appendix B). Throws an `OAuthError` when it is none, or names a parameter twice (§3.2). */
export function readForm({ fields, body }: ServiceRequest): ReadonlyMap<string, string> {
  const type = (fields['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded')
    throw new OAuthError('invalid_request', 'Send the parameters as application/x-www-form-urlencoded.');
  const form = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(body)) {
    if (form.has(name)) throw new OAuthError('invalid_request', `The parameter ${name.slice(0, 64)} stands twice.`);
    // A parameter without a value counts as left out (§3.2).
    if (value !== '') form.set(name, value);
  }
  return form;
}

/** A parameter that must be there. */
export function wanted(form: ReadonlyMap<string, string>, name: string): string {
  const value = form.get(name);
  if (value === undefined) throw new OAuthError('invalid_request', `The parameter ${name} is missing.`);
  return value;
}
