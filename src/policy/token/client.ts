/** Who asks for tokens: clients of the configuration and of the store, and API keys, which are clients of their own. */
import { ASSERTION_TYPE, checkAssertion, claimedBy } from './assertion.ts';
import {
  CLIENT_ID,
  CLIENT_KIND,
  clientDocument,
  type DeclaredClient,
  hashDeclared,
  type TokensConfig,
} from './config.ts';
import type { Subject, TokenParts } from './parts.ts';
import { mac, same } from './secret.ts';
import { OAuthError, type ServiceAnswer, type ServiceRequest } from './wire.ts';

/** A client, whatever it is kept as. */
export interface Client {
  readonly id: string;
  readonly name: string;
  readonly grants: readonly string[];
  readonly scopes: readonly string[];
  /** Whom its own tokens stand for. */
  readonly subject: Subject;
  /** It has no secret: anybody can say that they are it. */
  readonly public: boolean;
  readonly introspects: boolean;
  readonly dpop: 'accepted' | 'required';
}

type Kept = Pick<
  DeclaredClient,
  | 'id'
  | 'name'
  | 'grants'
  | 'scopes'
  | 'principal'
  | 'tenant'
  | 'plan'
  | 'roles'
  | 'models'
  | 'introspects'
  | 'keys'
  | 'dpop'
  | 'disabled'
> & { hash?: string | undefined };

/** What a 401 of the service asks for (RFC 6749 §5.2). */
export const CHALLENGE: ServiceAnswer['fields'] = [['WWW-Authenticate', 'Basic realm="tokens", charset="UTF-8"']];

/** Addresses of the service that ask who sends a request. */
const ADDRESSES = ['token', 'revoke', 'introspect', 'device_authorization'];

type ClientSettings = Pick<TokensConfig, 'clients' | 'issuer' | 'path'>;

const isPublic = ({ hash, keys }: Kept): boolean => hash === undefined && keys === undefined;

/** Kept in the store: the HMAC of a client's secret under the pepper. */
export const hashSecret = (pepper: string, secret: string): string => mac(pepper, `client secret\n${secret}`);

type ClientParts = Pick<TokenParts, 'store' | 'clock' | 'keyOf' | 'hold' | 'failed'>;

/** Finds and proves clients. */
export class Clients {
  readonly #parts: ClientParts;
  #declared = new Map<string, DeclaredClient>();
  #peppers: readonly string[] = [];
  /** What assertions of clients are for: the issuer, or an address of the service. */
  #audiences: readonly string[] = [];

  constructor(parts: ClientParts) {
    this.#parts = parts;
  }

  /** Settings are in force. */
  configure({ clients, issuer, path }: ClientSettings, peppers: readonly string[]): void {
    this.#declared = new Map(clients.map((one) => [one.id, one]));
    this.#peppers = peppers;
    this.#audiences = [issuer, ...ADDRESSES.map((name) => `${issuer}${path}/${name}`)];
  }

  /** A client by its id, unless it is switched off. */
  async find(id: string): Promise<Client | undefined> {
    const kept = await this.#kept(id);
    return kept && clientOf(kept);
  }

  /**
   * Who sends this request (RFC 6749 §2.3). Throws an `OAuthError` when the secret is wrong; undefined where nobody says who
   * they are.
   */
  async authenticate(request: ServiceRequest, form: ReadonlyMap<string, string>): Promise<Client | undefined> {
    const shown = shownBy(request, form);
    if (shown === undefined) return undefined;
    const { id, secret, assertion } = shown;
    const client =
      assertion !== undefined
        ? await this.#asserted(id, assertion)
        : secret === undefined
          ? await this.#unproved(id)
          : await this.#proved(id, secret, request.address);
    if (client !== undefined) return client;
    // Secrets cannot be guessed, so whoever has the right one is never held up by those who have not.
    const wait = this.#parts.hold(request.address, id);
    this.#parts.failed(request.address, id);
    if (wait > 0) throw tooMany(wait);
    throw new OAuthError(
      'invalid_client',
      'There is no such client, or its secret or key is another one.',
      401,
      CHALLENGE,
    );
  }

  async #proved(id: string, secret: string, address: string): Promise<Client | undefined> {
    const kept = await this.#kept(id);
    if (kept !== undefined) return this.#holds(kept, id, secret) ? clientOf(kept) : undefined;
    const key = await this.#parts.keyOf(secret, address);
    // A key says by itself whose it is; an id beside it must be its own.
    if (key === undefined || (id !== '' && id !== key.id)) return undefined;
    return clientOfKey(key);
  }

  #holds({ hash }: Kept, id: string, secret: string): boolean {
    if (hash === undefined) return false;
    if (this.#declared.has(id)) return same(hashDeclared(secret), hash);
    return this.#peppers.some((pepper) => same(hashSecret(pepper, secret), hash));
  }

  /** By what it has signed (RFC 7523 §2.2). Throws an `OAuthError` where that is its own and does not hold. */
  async #asserted(id: string, assertion: string): Promise<Client | undefined> {
    const kept = await this.#kept(id);
    if (kept?.keys === undefined) return undefined;
    const asked = { id, texts: kept.keys, audiences: this.#audiences };
    const asserted = await checkAssertion(assertion, asked, this.#parts);
    if (asserted === 'foreign') return undefined;
    if (asserted !== 'holds') throw new OAuthError('invalid_client', asserted.failed, 401, CHALLENGE);
    return clientOf(kept);
  }

  async #unproved(id: string): Promise<Client | undefined> {
    const kept = await this.#kept(id);
    return kept !== undefined && isPublic(kept) ? clientOf(kept) : undefined;
  }

  async #kept(id: string): Promise<Kept | undefined> {
    const declared = this.#declared.get(id);
    if (declared !== undefined) return declared.disabled ? undefined : declared;
    // What can be no id is an unknown one: the store would throw at it.
    if (!CLIENT_ID.test(id)) return undefined;
    const found = await this.#parts.store.get(CLIENT_KIND, id);
    const read = found && clientDocument.safeParse(found.value);
    return read?.success && !read.data.disabled ? read.data : undefined;
  }
}

/** Slowed down. `waitMs`: for how long. */
export function tooMany(waitMs: number): OAuthError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return new OAuthError('temporarily_unavailable', `Too many attempts have failed: try again in ${seconds} s.`, 429, [
    ['Retry-After', String(seconds)],
  ]);
}

/** An API key as a client: it asks for tokens for itself. */
export function clientOfKey(subject: Subject): Client {
  const { id, scopes } = subject;
  const grants = ['clientCredentials', 'tokenExchange', 'refresh'];
  return { id, name: id, grants, scopes, subject, public: false, introspects: false, dpop: 'accepted' };
}

function clientOf(kept: Kept): Client {
  const { id, name, grants, scopes, principal = id, tenant, plan, roles, models, introspects, dpop } = kept;
  const subject: Subject = {
    by: 'client',
    id,
    ...{ principal, tenant, plan, scopes, roles, models },
    labels: {},
    trial: false,
    expiresAt: undefined,
    bound: false,
  };
  return { id, name: name || id, grants, scopes, subject, public: isPublic(kept), introspects, dpop };
}

/** Id and secret as the request shows them; undefined: none. More than one way at once is a mistake (RFC 6749 §2.3). */
function shownBy(
  { fields }: ServiceRequest,
  form: ReadonlyMap<string, string>,
): { id: string; secret?: string | undefined; assertion?: string } | undefined {
  const header = fields.authorization;
  const secret = form.get('client_secret');
  const id = form.get('client_id');
  const assertion = form.get('client_assertion');
  if (assertion !== undefined) {
    if (form.get('client_assertion_type') !== ASSERTION_TYPE)
      throw new OAuthError('invalid_request', `The client_assertion_type must be ${ASSERTION_TYPE}.`);
    if (header !== undefined || secret !== undefined)
      throw new OAuthError('invalid_request', 'The client proves itself in two ways: choose one.');
    const claimed = claimedBy(assertion);
    if (claimed === undefined)
      throw new OAuthError('invalid_client', 'The assertion is no JWT with a sub.', 401, CHALLENGE);
    if (id !== undefined && id !== claimed)
      throw new OAuthError('invalid_request', 'The client_id is another one than the sub of the assertion.');
    return { id: claimed, assertion };
  }
  if (header === undefined) return id === undefined && secret === undefined ? undefined : { id: id ?? '', secret };
  const basic = /^basic +([A-Za-z0-9+/_-]+={0,2})$/i.exec(header);
  const refused = (why: string) => new OAuthError('invalid_client', why, 401, CHALLENGE);
  if (basic === null) throw refused('Send id and secret as Basic authorization, or in the body.');
  if (secret !== undefined) throw new OAuthError('invalid_request', 'The client shows two secrets: send one.');
  const text = Buffer.from(basic[1] as string, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) throw refused('There is no colon between id and secret.');
  try {
    // Both are encoded as in a form first (§2.3.1).
    const [name, word] = [text.slice(0, colon), text.slice(colon + 1)].map((part) =>
      decodeURIComponent(part.replaceAll('+', ' ')),
    ) as [string, string];
    if (id !== undefined && id !== name)
      throw new OAuthError('invalid_request', 'The client_id in the body is another one than in the header.');
    return { id: name, secret: word };
  } catch (error) {
    if (error instanceof OAuthError) throw error;
    throw refused('Id and secret must be encoded as in a form before they are put together.');
  }
}
