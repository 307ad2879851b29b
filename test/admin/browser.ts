/** As much of a browser as a login needs: cookies, redirects, forms. */

/** A page. */
export interface Page {
  url: string;
  status: number;
  text: string;
  /** Where its form goes; undefined when there is none. */
  form: string | undefined;
  /** Hidden fields of the form. */
  hidden: Record<string, string>;
}

/** A browser of one person. */
export class Browser {
  /** Origin → name → value. */
  readonly #jar = new Map<string, Map<string, string>>();
  /** Every `Set-Cookie` so far. */
  readonly received: string[] = [];

  /** Goes there. */
  get(url: string): Promise<Page> {
    return this.#go(url, { method: 'GET' });
  }

  /** Sends a form. */
  post(url: string, fields: Record<string, string>): Promise<Page> {
    return this.#go(url, { method: 'POST', body: new URLSearchParams(fields) });
  }

  /** What a script of the page would ask. */
  async json(
    method: string,
    url: string,
    document?: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: unknown }> {
    const type: Record<string, string> = document === undefined ? {} : { 'content-type': 'application/json' };
    const body = document === undefined ? {} : { body: JSON.stringify(document) };
    const response = await this.#fetch(url, { method, headers: { ...type, ...headers }, ...body });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  }

  async #go(url: string, request: RequestInit): Promise<Page> {
    let response = await this.#fetch(url, request);
    let at = url;
    for (let hops = 0; hops < 10 && response.status >= 300 && response.status < 400; hops++) {
      at = new URL(response.headers.get('location') ?? '', at).href;
      response = await this.#fetch(at, { method: 'GET' });
    }
    const text = await response.text();
    const action = /<form[^>]* action="([^"]*)"/.exec(text)?.[1];
    const hidden = [...text.matchAll(/<input[^>]*type="hidden"[^>]*name="([^"]*)"[^>]*value="([^"]*)"/g)];
    return {
      url: at,
      status: response.status,
      text,
      form: action === undefined ? undefined : new URL(action, at).href,
      hidden: Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, value])),
    };
  }

  async #fetch(url: string, request: RequestInit): Promise<Response> {
    const { origin } = new URL(url);
    const jar = this.#jar.get(origin) ?? new Map<string, string>();
    this.#jar.set(origin, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...(request.headers as Record<string, string>), ...(cookie === '' ? {} : { cookie }) };
    const response = await fetch(url, { ...request, headers, redirect: 'manual' });
    for (const one of response.headers.getSetCookie()) {
      this.received.push(one);
      const [name = '', value = ''] = (one.split(';', 1)[0] as string).split(/=(.*)/s);
      if (value === '' || /Max-Age=0\b|expires=Thu, 01 Jan 1970/i.test(one)) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }
}
