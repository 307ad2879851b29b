/** Finds out who asks the admin API: a token of the configuration or of the store, or a login by OpenID Connect. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { Clock } from '../../kernel/clock.ts';
import { Throttle } from '../../policy/access/access.ts';
import { StoreError } from '../../store/error.ts';
import type { Document, Store } from '../../store/store.ts';
import { type Answer, problem } from '../answer.ts';
import type { AdminAccess } from '../config.ts';
import { ADMIN_TOKEN_KIND, type AdminTokenDocument } from '../resources/admindocument.ts';
import { unavailable } from '../resources/trouble.ts';
import { type Caller, ROLES } from './caller.ts';
import { cookieOf, SESSION_COOKIE } from './cookie.ts';
import { seal, sealKey, unseal } from './seal.ts';
import { ADMIN_PREFIX, hashAdminToken } from './token.ts';

const session = z.strictObject({ name: z.string(), role: z.enum(ROLES), until: z.number() });

/** Purpose of a sealed login. */
const SESSION = 'session';

/** See the file's head. */
export class Doorkeeper {
  readonly #clock: Clock;
  readonly #throttle: Throttle;
  readonly #store: (() => Promise<Store>) | undefined;
  /** Without a secret in the configuration. */
  readonly #byChance = randomBytes(32);

  constructor(clock: Clock, store: (() => Promise<Store>) | undefined) {
    this.#clock = clock;
    this.#throttle = new Throttle(clock);
    this.#store = store;
  }

  /** Key that logins are sealed with. */
  key({ sessionSecret }: AdminAccess): Buffer {
    return sealKey(sessionSecret ?? this.#byChance);
  }

  /** A login as the text of a cookie. */
  session(access: AdminAccess, caller: Pick<Caller, 'name' | 'role'>): string {
    const { name, role } = caller;
    return seal(this.key(access), SESSION, { name, role, until: this.#clock.wall() + access.session });
  }

  /** Who asks; or the answer that they get instead. */
  async identify(access: AdminAccess, request: IncomingMessage): Promise<Caller | Answer> {
    const { authorization, cookie } = request.headers;
    const address = request.socket.remoteAddress ?? 'unix';
    if (authorization !== undefined) {
      const token = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(authorization)?.[1];
      if (token === undefined) return this.#refuse(access, address, '', 'Authorization has to be "Bearer TOKEN".');
      return this.#byToken(access, address, token);
    }
    const sealed = access.oidc === undefined ? undefined : cookieOf(cookie, SESSION_COOKIE);
    if (sealed !== undefined) return this.#bySession(access, address, sealed);
    const how = access.oidc === undefined ? '' : ', or log in at /auth/login';
    return unauthorized(`Say who you are: send Authorization: Bearer TOKEN (gatehouse: GATEHOUSE_ADMIN_TOKEN)${how}.`);
  }

  async #byToken(access: AdminAccess, address: string, token: string): Promise<Caller | Answer> {
    const ours = token.startsWith(ADMIN_PREFIX);
    // What was not made by us may be one that can be guessed.
    const held = ours ? 0 : this.#throttle.hold(access.failures, address, token);
    if (held > 0) return slowed(held);
    const hash = hashAdminToken(token);
    const bytes = Buffer.from(hash);
    for (const { hash: known, ...caller } of access.tokens) {
      if (timingSafeEqual(Buffer.from(known), bytes)) return caller;
    }
    if (ours && this.#store !== undefined) {
      let found: Document<AdminTokenDocument> | undefined;
      try {
        found = await (await this.#store()).find<AdminTokenDocument>(ADMIN_TOKEN_KIND, `hash:${hash}`);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        return unavailable(error);
      }
      const document = found?.value;
      if (document !== undefined && !document.disabled && (document.expiresAt ?? Infinity) > this.#clock.wall()) {
        const { role, tenant, scopes } = document;
        return { name: document.name === '' ? (found?.id as string) : document.name, role, tenant, scopes };
      }
    }
    return this.#refuse(access, address, token, 'This token is not known here, or holds no longer.');
  }

  #bySession(access: AdminAccess, address: string, sealed: string): Caller | Answer {
    const { success, data } = session.safeParse(unseal(this.key(access), SESSION, sealed));
    if (!success)
      return this.#refuse(access, address, '', 'This login does not hold here. Log in again at /auth/login.');
    if (data.until <= this.#clock.wall()) return unauthorized('This login has ended. Log in again at /auth/login.');
    return { name: data.name, role: data.role, tenant: '', scopes: [] };
  }

  #refuse(access: AdminAccess, address: string, credential: string, detail: string): Answer {
    const wait = this.#throttle.wait(access.failures, address, credential);
    this.#throttle.failed(access.failures, address, credential);
    return wait > 0 ? slowed(wait) : unauthorized(detail);
  }
}

function unauthorized(detail: string): Answer {
  const answer = problem(401, 'unauthorized', detail);
  answer.fields['WWW-Authenticate'] = 'Bearer realm="gatehouse admin"';
  return answer;
}

function slowed(waitMs: number): Answer {
  const seconds = Math.ceil(waitMs / 1000);
  const answer = problem(429, 'too_many_failures', `Too many failed logins from here. Try again in ${seconds} s.`);
  answer.fields['Retry-After'] = String(seconds);
  return answer;
}
