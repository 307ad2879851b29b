/** The door of the room: what browsers are told about calls from pages of other origins (Fetch Standard §3.2). */
import type { CorsConfig } from './config.ts';

/** What a preflight asks for. */
export interface Preflight {
  readonly origin: string;
  /** `Access-Control-Request-Method`. */
  readonly method: string;
  /** `Access-Control-Request-Headers`; '' for none. */
  readonly headers: string;
}

const FIELD_LIST = /^[A-Za-z0-9!#$%&'*+.^_`|~, -]*$/;

/** The rules of one route. */
export class Cors {
  readonly #all: boolean;
  readonly #exact = new Set<string>();
  /** Scheme, and what names below end with. */
  readonly #below: (readonly [string, string])[] = [];
  readonly #methods: ReadonlySet<string>;
  readonly #headers: ReadonlySet<string> | undefined;
  readonly #more: string;
  readonly #preflight: string;

  constructor({ origins, methods, headers, expose, credentials, maxAge }: CorsConfig) {
    this.#all = origins.includes('*');
    for (const origin of origins) {
      const star = origin.indexOf('://*.');
      if (star < 0) this.#exact.add(origin);
      else this.#below.push([origin.slice(0, star + 3), origin.slice(star + 4)]);
    }
    this.#methods = new Set(methods);
    this.#headers = headers === 'any' ? undefined : new Set(headers.map((name) => name.toLowerCase()));
    const leave = credentials ? 'Access-Control-Allow-Credentials: true\r\n' : '';
    this.#more = `${leave}${expose.length > 0 ? `Access-Control-Expose-Headers: ${expose.join(', ')}\r\n` : ''}`;
    this.#preflight = `${leave}Access-Control-Allow-Methods: ${methods.join(', ')}\r\nAccess-Control-Max-Age: ${Math.floor(maxAge / 1000)}\r\n`;
  }

  /** Whether pages of this origin may call. */
  allows(origin: string): boolean {
    if (this.#all || this.#exact.has(origin)) return true;
    return this.#below.some(
      ([scheme, end]) =>
        origin.startsWith(scheme) && origin.endsWith(end) && !origin.slice(scheme.length).includes('/'),
    );
  }

  /** Why a preflight is refused, as a sentence; '' where it is not. */
  refusal({ origin, method, headers }: Preflight): string {
    if (!this.allows(origin)) return 'Pages of this origin may not call here (cors.origins).';
    if (!this.#methods.has(method)) return 'Pages may not use this method here (cors.methods).';
    if (!FIELD_LIST.test(headers)) return 'Access-Control-Request-Headers is no list of field names.';
    const wanted = headers.split(',').map((name) => name.trim().toLowerCase());
    const lacking = wanted.find((name) => name !== '' && this.#headers !== undefined && !this.#headers.has(name));
    return lacking === undefined ? '' : `Pages may not send the field ${lacking} here (cors.headers).`;
  }

  /** Field lines of the answer to a preflight that is not refused. */
  preflightLines({ origin, headers }: Preflight): string {
    const fields = headers === '' ? '' : `Access-Control-Allow-Headers: ${headers}\r\n`;
    const vary = 'Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n';
    return `Access-Control-Allow-Origin: ${origin}\r\n${fields}${this.#preflight}${vary}`;
  }

  /** Field lines of every answer of the route. `origin`: of the request; undefined or not allowed: only that it matters. */
  lines(origin: string | undefined): string {
    if (origin === undefined || !this.allows(origin)) return 'Vary: Origin\r\n';
    return `Access-Control-Allow-Origin: ${origin}\r\n${this.#more}Vary: Origin\r\n`;
  }
}
