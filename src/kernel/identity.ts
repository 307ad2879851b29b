/**
 * Who calls. Made once for each credential and then shared by all its requests: a stage compares references, never
 * parses again.
 */

/** A caller that has been authenticated. Never changed once made; a change of key, plan or tenant makes another one. */
export interface Identity {
  /** How it was proved. */
  readonly method: 'apiKey' | 'jwt' | 'certificate';
  /** Whom it stands for: the owner of the key, the subject of the token. */
  readonly principal: string;
  /** Public name of what was shown, for logs and limits: the id of a key, the `jti` of a token. Never the secret. */
  readonly credential: string;
  /**
   * By what limits and the ledger tell its use apart: the id of the key, also of the one that a token of ours was made of; of anybody
   * else the principal. Never what a caller can have any number of, such as a `jti`.
   */
  readonly account: string;
  /** Customer it belongs to; '' for none. */
  readonly tenant: string;
  /** Plan in force; '' for none. */
  readonly plan: string;
  readonly scopes: ReadonlySet<string>;
  readonly roles: ReadonlySet<string>;
  /** Models it may ask for, a trailing `*` matching any ending; undefined: all that the route offers. */
  readonly models: readonly string[] | undefined;
  /** Its requests are never more important than this, from 0 to 100; undefined: it says nothing. */
  readonly priority?: number | undefined;
  /** What the credential says beyond that: claims of a token, labels of a key. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Wall clock, milliseconds since 1970; infinite when it does not expire. */
  readonly expiresAt: number;
}

/** The certificate that a client has shown, and that its listener accepted. */
export interface ClientCertificate {
  /** RFC 4514-like, as OpenSSL prints it on one line. */
  readonly subject: string;
  readonly issuer: string;
  /** `DNS:…`, `URI:…`, `email:…`, `IP:…`. */
  readonly names: readonly string[];
  /** SHA-256 of the DER form, in base64url: what `x5t#S256` of RFC 8705 holds. */
  readonly thumbprint: string;
  /** Wall clock, milliseconds since 1970. */
  readonly notAfter: number;
}

/** What TLS says about a client's connection. */
export interface TlsFacts {
  /** Name that the client asked for (SNI), in lower case; '' when it named none. */
  readonly serverName: string;
  /** `TLSv1.3` and the like. */
  readonly version: string;
  /** Undefined when it showed none, or one that nobody asked for. */
  readonly certificate: ClientCertificate | undefined;
}
