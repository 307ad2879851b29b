/** What the service needs of the house around it. */
import type { Clock } from '../../kernel/clock.ts';
import type { Change, Put, Store } from '../../store/store.ts';

/** Whom a token stands for, and what it may do. */
export interface Subject {
  /** An API key, or a client of its own. */
  readonly by: 'key' | 'client';
  /** Id of the key or client. */
  readonly id: string;
  readonly principal: string;
  readonly tenant: string;
  /** '' for that of the tenant. */
  readonly plan: string;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  readonly models: readonly string[] | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly trial: boolean;
  /** Wall clock, milliseconds since 1970. */
  readonly expiresAt: number | undefined;
  /** Bound to networks, which a token would not be. */
  readonly bound: boolean;
}

/** What may be revoked of a token: single ones by `id`, those of a key by `session`, those of a login by `family`. */
export interface Ended {
  readonly kind: 'id' | 'session' | 'client' | 'family';
  readonly value: string;
  /** Wall clock, milliseconds since 1970. */
  readonly issuedUpTo?: number | undefined;
  readonly forgetAt: number;
}

/** Names by which a token can have been revoked. */
export interface TokenNames {
  readonly id: string;
  readonly principal: string;
  readonly session: string;
  readonly client: string;
  readonly family: string;
  /** Wall clock, milliseconds since 1970. */
  readonly issuedAt: number;
}

/** What comes of a DPoP proof. `nonce`: all is well but that it lacks this one. */
export type Proved = { readonly jkt: string } | { readonly nonce: string } | { readonly failed: string };

/** A public key as JWK. */
export type PublicKey = Readonly<Record<string, string>>;

/** What is to be known of an API key that has changed. */
export interface KeyChange {
  readonly id: string;
  /** It lets nobody in any more. */
  readonly ended: boolean;
  /** Until when it does; wall clock, undefined: for good. */
  readonly until: number | undefined;
}

/** What the service needs of the store. */
export type TokenStore = Pick<Store, 'get' | 'find' | 'list' | 'write' | 'changesSince' | 'revision' | 'watch'>;

/** See the file's head. */
export interface TokenParts {
  clock: Clock;
  store: TokenStore;
  /** Who shows this API key from there; undefined for nobody, or somebody who may not. */
  keyOf(key: string, address: string): Promise<Subject | undefined>;
  /** A key by its id, while it lets in. */
  keyById(id: string): Promise<Subject | undefined>;
  /** Why nobody of this tenant is let in now, as a sentence; undefined: they are. */
  tenantRefusal(tenant: string): Promise<string | undefined>;
  /** What a change of the store says of an API key; undefined when it is of something else. */
  keyChange(change: Change): KeyChange | undefined;
  /** Checks a DPoP proof for a request without a token, and claims it. */
  prove(proof: string, method: string, uri: string): Promise<Proved>;
  /** The write that ends tokens in every worker. */
  revocation(ended: Ended): Put;
  isRevoked(names: TokenNames): Promise<boolean>;
  /** Up to when tokens of a key (`session`, '' for none) or client were issued that have ended, before all were; 0 where none have. */
  endedUpTo(session: string, client: string): Promise<number>;
  /** Milliseconds for which guesses from there are not looked at; 0: they are. */
  hold(address: string, name: string): number;
  /** A guess was wrong. */
  failed(address: string, name: string): void;
  /** The keys that check tokens are these from now on. */
  publish(keys: readonly PublicKey[]): void;
  /** A request was answered: at which endpoint, and `ok` or the code of its error. */
  answered(endpoint: string, result: string): void;
  notice(level: 'info' | 'warn' | 'error', message: string): void;
}
