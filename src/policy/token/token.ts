/** The door of the room: the token service (OAuth 2). It runs in the supervisor; workers hand it requests and send its answers. */
import type { Timer } from '../../kernel/clock.ts';
import { Approval } from './approval.ts';
import { Clients } from './client.ts';
import { ClientWatch } from './clientwatch.ts';
import type { TokensConfig } from './config.ts';
import { Devices } from './device.ts';
import { Families } from './family.ts';
import { type GrantParts, giveTokens } from './grants.ts';
import { introspect, revoke } from './inspect.ts';
import { SigningKeys } from './keys.ts';
import { KeyWatch } from './keywatch.ts';
import { resourceMetadata, serverMetadata } from './metadata.ts';
import type { TokenParts } from './parts.ts';
import { grantScope, readScope } from './scope.ts';
import { json, OAuthError, published, readForm, type ServiceAnswer, type ServiceRequest } from './wire.ts';

export { hashSecret } from './client.ts';
export type { Ended, KeyChange, Proved, PublicKey, Subject, TokenNames, TokenParts } from './parts.ts';
export { Signup, type Trial } from './signup.ts';
export { SERVICE_BODY_MAX, SERVICE_FIELDS, type ServiceAnswer, type ServiceRequest } from './wire.ts';

/** Most and least time between two looks at the keys that sign. */
const LOOK_MS = [250, 30_000] as const;
/** How long published documents may be kept, in seconds. */
const KEPT_S = 300;
const SERVER = '/.well-known/oauth-authorization-server';
const RESOURCE = '/.well-known/oauth-protected-resource';

type Form = ReadonlyMap<string, string>;
type Endpoint = (request: ServiceRequest) => Promise<ServiceAnswer> | ServiceAnswer;

/** The service, for one configuration after the other. */
export class TokenService {
  readonly #parts: TokenParts;
  readonly #made: GrantParts;
  readonly #approval: Approval;
  readonly #watch: KeyWatch;
  readonly #gone: ClientWatch;
  #timer: Timer | undefined = undefined;
  readonly #endpoints: Readonly<Record<string, { methods: readonly string[]; answer: Endpoint }>>;

  /** `peppers`: at least one; secrets are made from the first. */
  constructor(parts: TokenParts, config: TokensConfig, peppers: readonly string[]) {
    this.#parts = parts;
    const keys = new SigningKeys(parts, config, peppers);
    const clients = new Clients(parts);
    clients.configure(config, peppers);
    const families = new Families(parts, config, peppers);
    const devices = new Devices(parts, config, peppers);
    this.#made = { parts, keys, clients, families, devices, config };
    this.#approval = new Approval(parts, devices, peppers);
    this.#gone = new ClientWatch(parts);
    this.#watch = new KeyWatch(parts, () => void this.#refresh());
    const post = (answer: (request: ServiceRequest, form: Form) => Promise<ServiceAnswer>) => ({
      methods: ['POST'],
      answer: (request: ServiceRequest) => answer(request, readForm(request)),
    });
    const get = (answer: Endpoint) => ({ methods: ['GET', 'HEAD'], answer });
    this.#endpoints = {
      token: post(async (request, form) => json(200, (await giveTokens(request, form, this.#made)).tokens)),
      revoke: post(async (request, form) => {
        await revoke(request, form, this.#made);
        return json(200, {});
      }),
      introspect: post(async (request, form) => json(200, await introspect(request, form, this.#made))),
      device_authorization: post((request, form) => this.#device(request, form)),
      device: { methods: ['GET', 'HEAD', 'POST'], answer: (request) => this.#approval.answer(request) },
      jwks: get(() => published({ keys: keys.published }, KEPT_S)),
      metadata: get(() => published(serverMetadata(this.#made.config), KEPT_S)),
      resource: get(() => published(resourceMetadata(this.#made.config), KEPT_S)),
    };
  }

  /** Reads the keys that sign, or makes the first. Call before the first request. */
  async start(): Promise<void> {
    await this.#made.keys.refresh();
    await this.#watch.start();
    await this.settle();
    this.#plan();
  }

  /** Other settings are to be tried. */
  async configure(config: TokensConfig, peppers: readonly string[]): Promise<void> {
    const { keys, clients, families, devices } = this.#made;
    this.#made.config = config;
    keys.configure(config, peppers);
    clients.configure(config, peppers);
    families.configure(config, peppers);
    devices.configure(config, peppers);
    this.#approval.configure(peppers);
    await keys.refresh();
    this.#plan();
  }

  /** The settings are in force for good: clients that are not among them any more lose their tokens. Never rejects. */
  async settle(): Promise<void> {
    try {
      await this.#gone.settle(this.#made.config.clients);
    } catch (error) {
      const what = 'it cannot be told whether clients were taken out of tokens.clients';
      this.#parts.notice('warn', `${what}: ${(error as Error).message}`);
    }
  }

  /** Looks whether other nodes have made keys; resolves when what there is has been published. Never rejects. */
  look(): Promise<void> {
    return this.#refresh();
  }

  close(): void {
    this.#timer?.cancel();
    this.#watch.close();
  }

  /** Answers a request; rejects only when the store cannot be asked. */
  async answer(request: ServiceRequest): Promise<ServiceAnswer> {
    const name = this.#nameOf(request.path);
    const endpoint = name === undefined ? undefined : this.#endpoints[name];
    if (name === undefined || endpoint === undefined)
      return json(404, { error: 'not_found', error_description: 'There is nothing of the token service here.' });
    if (!endpoint.methods.includes(request.method)) {
      const allow = [['Allow', endpoint.methods.join(', ')]] as const;
      return json(405, { error: 'invalid_request', error_description: 'This method is not for this address.' }, allow);
    }
    try {
      const answer = await endpoint.answer(request);
      this.#parts.answered(name, answer.status < 400 ? 'ok' : String(answer.status));
      return answer;
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      this.#parts.answered(name, error.code);
      return error.answer();
    }
  }

  /** Which endpoint a path is; the issuer may have a path of its own (RFC 8414 §3.1). */
  #nameOf(path: string): string | undefined {
    const { issuer, path: own } = this.#made.config;
    const base = new URL(issuer).pathname.replace(/\/$/, '');
    if (path === SERVER + base) return 'metadata';
    if (path === RESOURCE || path === RESOURCE + base) return 'resource';
    for (const prefix of [base + own, own]) {
      if (!path.startsWith(`${prefix}/`)) continue;
      const name = path.slice(prefix.length + 1);
      if (Object.hasOwn(this.#endpoints, name) && name !== 'metadata' && name !== 'resource') return name;
    }
    return undefined;
  }

  async #device(request: ServiceRequest, form: Form): Promise<ServiceAnswer> {
    const { clients, devices } = this.#made;
    const client = await clients.authenticate(request, form);
    if (client === undefined) throw new OAuthError('invalid_request', 'The parameter client_id is missing.');
    if (!client.grants.includes('device'))
      throw new OAuthError('unauthorized_client', 'This client may not ask for devices.');
    const scopes = grantScope(readScope(form.get('scope')), client.scopes);
    return json(200, await devices.begin(client, scopes, request.address));
  }

  #plan(): void {
    const [least, most] = LOOK_MS;
    const every = Math.min(most, Math.max(least, this.#made.config.publishAhead / 4));
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.every(every, () => void this.#refresh());
  }

  async #refresh(): Promise<void> {
    try {
      await this.#made.keys.refresh();
    } catch (error) {
      this.#parts.notice('warn', `the keys that sign tokens cannot be looked after: ${(error as Error).message}`);
    }
  }
}
