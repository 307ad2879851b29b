/** The door of the room: who calls, proved by key, token or certificate, and the gates of the routes that ask for it. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../kernel/clock.ts';
import type { Events } from '../../kernel/event.ts';
import type { Identity } from '../../kernel/identity.ts';
import { ApiKeys } from './apikeys.ts';
import type { Authenticator } from './authenticator.ts';
import { Certificates } from './certificates.ts';
import { Challenges } from './challenge.ts';
import type { AccessConfig } from './config.ts';
import { AccessGate, type RouteAccess } from './gate.ts';
import { JwtAuthenticator } from './jwt/jwt.ts';
import { Tokens } from './jwt/tokens.ts';
import { KeyTable } from './table.ts';
import { Throttle } from './throttle.ts';
import { type KeyUses, UsedKeys } from './used.ts';

export { KEY_KIND, KEY_USE_KIND, type KeyNews, keyConsumer, packKey } from './directory.ts';
export type { KeyDocument } from './document.ts';
export { AccessGate } from './gate.ts';
export { requestUri } from './jwt/jwt.ts';
export type { Revocation } from './jwt/revocation.ts';
export { ISSUER_KEYS, Tokens } from './jwt/tokens.ts';
export { mintKey } from './key.ts';
export {
  changeKey,
  createKey,
  isUsable,
  KEYS_PER_PRINCIPAL,
  type KeyOrder,
  keyOrder,
  lookupsOf,
  revokeKey,
  rotateKey,
  shownKey,
} from './lifecycle.ts';
export { hashesOf, keyIdentity, keyRefusal, unverifiedToken } from './lookup.ts';
export { pepperName } from './pepper.ts';
export {
  endedUpTo,
  findRevocation,
  packRevocation,
  REVOCATION_KIND,
  revocationConsumer,
  revocationDocument,
  revocationPut,
} from './revocations.ts';
export { CREDENTIAL } from './shown.ts';
export { KeyTable } from './table.ts';
export { Throttle } from './throttle.ts';
export type { KeyUses } from './used.ts';
export { type Vouched, Voucher } from './vouch.ts';

/** What the room needs. */
export interface AccessParts {
  clock: Clock;
  events: Events;
  /** Keys of the store, as the directory tells them; none when left out. */
  keys?: KeyTable;
  /** Told about once a minute which keys of the store were used. */
  used?: (uses: KeyUses) => Promise<unknown>;
  /** Keys of issuers, revocations and the way to ask the supervisor; without it only keys that are configured check tokens. */
  tokens?: Tokens;
}

/** What outlives configurations: the keys of the store, what failed, and which keys were used. */
export class Access {
  readonly #keys: KeyTable;
  /** What is known for the check of tokens. */
  readonly tokens: Tokens;
  readonly #parts: AccessParts;
  readonly #throttle: Throttle;
  readonly #used: UsedKeys;

  constructor(parts: AccessParts) {
    this.#parts = parts;
    this.#keys = parts.keys ?? new KeyTable();
    this.tokens = parts.tokens ?? new Tokens(parts.clock, undefined);
    this.#throttle = new Throttle(parts.clock);
    this.#used = new UsedKeys(parts.clock, async (uses) => parts.used?.(uses));
  }

  /** Compiles the gates of a configuration. `before`: those in force, of which what did not change is taken over. */
  compile(
    config: AccessConfig,
    routes: readonly (RouteAccess | undefined)[],
    before: CompiledAccess | undefined,
  ): CompiledAccess {
    const { events } = this.#parts;
    const same = before !== undefined && isDeepStrictEqual(config, before.config);
    const methods = same ? before.methods : this.#methods(config, before);
    const { realm, resourceMetadata, failures } = config;
    const made = new Map<string, AccessGate>();
    const gates = routes.map((settings) => {
      if (settings === undefined) return undefined;
      const key = JSON.stringify(settings);
      const known = made.get(key);
      if (known !== undefined) return known;
      const own = methods.filter(({ method }) => settings.anyOf.includes(method));
      const others = own.flatMap((one) => one.challenges ?? []);
      const challenges = new Challenges(realm, others, resourceMetadata);
      const gate = new AccessGate(settings, own, { events, challenges, throttle: this.#throttle, failures });
      made.set(key, gate);
      return gate;
    });
    return { config, methods, gates, uniform: gates.every((gate) => gate === gates[0]) };
  }

  /** Rises whenever a credential may have been taken back. */
  get epoch(): number {
    return this.#keys.epoch + this.tokens.revocations.epoch;
  }

  /** Tells which keys were used, before the process ends; resolves when that is known. */
  flush(): Promise<void> {
    return this.#used.flush();
  }

  #methods(config: AccessConfig, before: CompiledAccess | undefined): Authenticator[] {
    const { clock } = this.#parts;
    const { pepper: peppers, keys: declared, remembered, certificates } = config;
    const known = before?.methods.find((one) => one instanceof JwtAuthenticator);
    return [
      // First, for it knows its own by their form; whatever it does not know may be a key.
      new JwtAuthenticator(config, this.tokens, known),
      new ApiKeys({ clock, peppers, declared, remembered, table: this.#keys, used: this.#used }),
      new Certificates(clock, certificates),
    ];
  }
}

/** Whether a credential has been taken back since it let somebody in. */
export function takenBack({ methods }: CompiledAccess, identity: Identity): boolean {
  return methods.some((one) => one.takenBack?.(identity) === true);
}

/** The gates of a configuration. */
export interface CompiledAccess {
  readonly config: AccessConfig;
  readonly methods: readonly Authenticator[];
  /** By the place of the route in the configuration; undefined: everybody may pass. Routes that ask for the same share one. */
  readonly gates: readonly (AccessGate | undefined)[];
  /** Every route asks for the same. */
  readonly uniform: boolean;
}
