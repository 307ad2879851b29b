/**
 * Trials for everybody: an e-mail address becomes a tenant on a trial plan, and a key that is shown once. How many may
 * begin is counted in the store, in the transaction that makes them, so that no node and no worker lets one more in.
 */
import { z } from 'zod';
import { networkOf } from '../../http/network.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Put, Store, Write } from '../../store/store.ts';
import type { SignupConfig } from './config.ts';
import { deriveAll, mac } from './secret.ts';
import { json, type ServiceAnswer, type ServiceRequest } from './wire.ts';

/** Kinds of the documents in the store: who has signed up, and how many in a day. */
const SIGNUP_KIND = 'signup';
const COUNT_KIND = 'signupCount';
const DAY_MS = 86_400_000;
const TRIES = 8;

const order = z.strictObject({
  email: z
    .string()
    .max(254)
    .regex(/^[^\s@"<>()[\]\\,;:]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$/, 'expected an e-mail address'),
  name: z
    .string()
    .regex(/^[^\p{Cc}]{1,128}$/u, 'expected a name of at most 128 characters')
    .optional(),
});

/** A trial that is ready to begin. */
export interface Trial {
  readonly tenant: string;
  readonly key: string;
  /** Wall clock, milliseconds since 1970. */
  readonly endsAt: number;
  readonly writes: readonly Write[];
}

/** What signing up needs of the house around it. */
export interface SignupParts {
  clock: Clock;
  store: Pick<Store, 'get' | 'write'>;
  /** Makes tenant and key, to be written. Rejects when the plan is none for trials. */
  begin(plan: string, scopes: readonly string[], email: string, name: string): Promise<Trial>;
  answered(result: string): void;
}

/** Answers those who sign up. */
export class Signup {
  readonly #parts: SignupParts;
  #config: SignupConfig;
  #secrets: readonly Buffer[];

  constructor(parts: SignupParts, config: SignupConfig, peppers: readonly string[]) {
    this.#parts = parts;
    this.#config = config;
    this.#secrets = deriveAll(peppers, 'sign-up');
  }

  /** Other settings are in force. */
  configure(config: SignupConfig, peppers: readonly string[]): void {
    this.#config = config;
    this.#secrets = deriveAll(peppers, 'sign-up');
  }

  /** Answers a request; rejects when the store cannot be asked. */
  async answer(request: ServiceRequest): Promise<ServiceAnswer> {
    const answer = await this.#answer(request);
    this.#parts.answered(answer.status < 400 ? 'ok' : String(answer.status));
    return answer;
  }

  async #answer({ method, fields, body, address }: ServiceRequest): Promise<ServiceAnswer> {
    if (method !== 'POST') return refused(405, 'method_not_allowed', 'Send a POST request.', [['Allow', 'POST']]);
    // A form of another site could not send this type without asking first.
    if (!/^application\/json *(;|$)/i.test(fields['content-type'] ?? ''))
      return refused(415, 'unsupported_media_type', 'Send JSON: {"email": "you@example.com"}.');
    const read = order.safeParse(parsed(body));
    if (!read.success) {
      const [issue] = read.error.issues;
      const where = issue?.path.join('.') ?? '';
      return refused(400, 'invalid_request', `${where === '' ? 'The body' : where}: ${issue?.message ?? 'is wrong'}.`);
    }
    const email = read.data.email.toLowerCase();
    const { emailDomains, plan, scopes } = this.#config;
    if (emailDomains.length > 0 && !emailDomains.includes(email.slice(email.lastIndexOf('@') + 1)))
      return refused(403, 'email_domain', 'Trials are not offered to addresses of this domain.');
    const trial = await this.#parts.begin(plan, scopes, email, read.data.name ?? '');
    const network = networkOf(address);
    for (let i = 0; i < TRIES; i++) {
      const bounds = await this.#count(network);
      if (!Array.isArray(bounds)) return bounds as ServiceAnswer;
      // Kept without the address itself: it stands in the tenant, which can be deleted. Under each pepper: where nodes have them
      // in another order for a while, an address has one trial all the same.
      const value = { tenant: trial.tenant, at: this.#parts.clock.wall() };
      const once = this.#secrets.map(
        (secret): Put => ({ op: 'put', kind: SIGNUP_KIND, id: mac(secret, email), expect: 0, value }),
      );
      const result = await this.#parts.store.write([...trial.writes, ...once, ...bounds], {
        who: `signup:${network}`,
        what: 'signup.begin',
      });
      if (result.ok) {
        const { tenant, key, endsAt } = trial;
        return json(201, { tenant, plan, api_key: key, expires_at: new Date(endsAt).toISOString() });
      }
      if (result.conflict.kind === SIGNUP_KIND)
        return refused(409, 'signed_up', 'This e-mail address has had its trial.');
    }
    return refused(503, 'busy', 'Too many sign up at once: try again.', [['Retry-After', '1']]);
  }

  /** The counts of the day, each with one more; or why there cannot be one more. */
  async #count(network: string): Promise<Write[] | ServiceAnswer> {
    const now = this.#parts.clock.wall();
    const day = new Date(now).toISOString().slice(0, 10);
    const { perDay, perNetwork } = this.#config;
    const writes: Write[] = [];
    const ids = [
      [[day], perDay],
      [this.#secrets.map((secret) => `${day}:${mac(secret, network)}`), perNetwork],
    ] as const;
    for (const [names, most] of ids) {
      const found = await Promise.all(names.map((id) => this.#parts.store.get<{ trials: number }>(COUNT_KIND, id)));
      // Each pepper's count has all since that pepper came: the highest has them all.
      const trials = Math.max(...found.map((one) => one?.value.trials ?? 0));
      if (trials >= most) {
        const seconds = Math.ceil((DAY_MS - (now % DAY_MS)) / 1000);
        const retry = [['Retry-After', String(seconds)]] as const;
        return refused(429, 'too_many_trials', 'No more trials begin today: try again tomorrow.', retry);
      }
      const value = { trials: trials + 1 };
      const expiresAt = now + 2 * DAY_MS;
      names.forEach((id, i) => {
        writes.push({ op: 'put', kind: COUNT_KIND, id, value, expect: found[i]?.version ?? 0, expiresAt });
      });
    }
    return writes;
  }
}

function refused(status: number, code: string, message: string, more: ServiceAnswer['fields'] = []): ServiceAnswer {
  return json(status, { error: { code, message } }, more);
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
