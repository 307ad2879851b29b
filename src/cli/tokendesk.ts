/** Tokens beside the supervisor: keys of their issuers, and the service that issues some itself, where there is one. */
import { type Config, tenantDocument } from '../config/config.ts';
import type { Clock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { Voucher } from '../policy/access/access.ts';
import type { TokenAuthority } from '../policy/access/jwt/authority.ts';
import { issuerConfig } from '../policy/access/jwt/config.ts';
import { TENANT_KIND } from '../policy/authorize/config.ts';
import { OWN_ISSUER, ownIssuer, type TokensConfig } from '../policy/token/config.ts';
import { type PublicKey, type ServiceRequest, TokenService } from '../policy/token/token.ts';
import type { Store } from '../store/store.ts';
import type { Services } from '../supervisor/supervisor.ts';
import { SignupDesk } from './signupdesk.ts';

/** Name of the service; routes name it so. */
const SERVICE = 'tokens';

/** What it is made of. */
export interface TokenDeskParts {
  clock: Clock;
  services: Services;
  authority: TokenAuthority;
  notice(notice: NoticeEvent): void;
}

/** See the file's head. */
export class TokenDesk {
  readonly #parts: TokenDeskParts;
  readonly #store: () => Store | undefined;
  readonly #answered: (endpoint: string, result: string) => void;
  readonly #signup: SignupDesk;
  #service: TokenService | undefined;
  #voucher: Voucher | undefined;
  #tokens: TokensConfig | undefined;
  #tenants: Config['tenants'] = {};
  #keys: readonly PublicKey[] = [];

  /** `store`: as it is at the time. `counted`: told of each request that was answered. */
  constructor(
    parts: TokenDeskParts,
    store: () => Store | undefined,
    counted: { answered(endpoint: string, result: string): void },
  ) {
    this.#parts = parts;
    this.#store = store;
    this.#answered = (endpoint, result) => counted.answered(endpoint, result);
    this.#signup = new SignupDesk({ ...parts, store, answered: this.#answered });
    parts.services.provide(SERVICE, async (request) => {
      if (this.#service === undefined) throw new Error('no configuration in force has a token service');
      return this.#service.answer(request as ServiceRequest);
    });
  }

  /** Settings are to be tried, or are in force. Rejects when the service cannot begin. */
  async configure(config: Pick<Config, 'tokens' | 'access' | 'signup' | 'plans' | 'tenants'>): Promise<void> {
    const { tokens, access } = config;
    this.#tenants = config.tenants;
    this.#signup.configure(config);
    await this.#parts.authority.configure(access, tokens !== undefined);
    this.#tokens = tokens;
    const store = this.#store();
    if (tokens === undefined || store === undefined) {
      this.#service?.close();
      this.#service = undefined;
      return;
    }
    this.#tell();
    if (this.#service === undefined) {
      this.#service = await this.#begin(tokens, access, store);
      return;
    }
    this.#voucher?.configure(access, tokens.failures);
    await this.#service.configure(tokens, access.pepper);
  }

  /** The settings are in force, or those of before are again. */
  async settle(): Promise<void> {
    await this.#service?.settle();
  }

  close(): void {
    this.#service?.close();
    this.#parts.authority.close();
  }

  async #begin(tokens: TokensConfig, access: Config['access'], store: Store): Promise<TokenService> {
    const { clock, authority, notice } = this.#parts;
    const voucher = new Voucher(clock, store, authority, access, tokens.failures);
    const service = new TokenService(
      {
        clock,
        store,
        keyOf: (key, address) => voucher.keyOf(key, address),
        keyById: (id) => voucher.keyById(id),
        tenantRefusal: (tenant) => this.#tenantRefusal(tenant, store),
        keyChange: (change) => voucher.keyChange(change),
        prove: (proof, method, uri) => voucher.prove(proof, method, uri),
        revocation: (ended) => voucher.revocation({ ...ended, issuer: OWN_ISSUER }),
        isRevoked: (names) => voucher.isRevoked(OWN_ISSUER, names),
        endedUpTo: (session, client) => voucher.endedUpTo(OWN_ISSUER, session, client),
        hold: (address, name) => voucher.hold(address, name),
        failed: (address, name) => voucher.failed(address, name),
        publish: (keys) => {
          this.#keys = keys;
          this.#tell();
        },
        answered: this.#answered,
        notice: (level, message) => notice({ level, message }),
      },
      tokens,
      access.pepper,
    );
    await service.start();
    this.#voucher = voucher;
    return service;
  }

  /** As workers judge it with each request. */
  async #tenantRefusal(id: string, store: Store): Promise<string | undefined> {
    if (id === '') return undefined;
    const tenant = Object.hasOwn(this.#tenants, id)
      ? this.#tenants[id]
      : tenantDocument.safeParse((await store.get(TENANT_KIND, id))?.value).data;
    if (tenant?.disabled) return 'This account is switched off. Ask whoever gave you access.';
    const { trialEndsAt = Number.POSITIVE_INFINITY } = tenant ?? {};
    return this.#parts.clock.wall() < trialEndsAt ? undefined : 'The trial is over: choose a plan to go on.';
  }

  /** Workers check our tokens with these keys. */
  #tell(): void {
    if (this.#tokens === undefined || this.#keys.length === 0) return;
    const own = issuerConfig.parse(ownIssuer(this.#tokens));
    this.#parts.authority.setOwn(OWN_ISSUER, own, this.#keys, async () => this.#service?.look());
  }
}
