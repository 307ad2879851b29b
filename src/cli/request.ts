/** Requests as people write them on the command line. Forgiving: short form or a curl command. */
import type { RequestHead } from '../kernel/exchange.ts';

/** A request that was described on the command line. */
export interface DescribedRequest {
  readonly head: RequestHead;
  readonly model: string | undefined;
  /** Address of the client. */
  readonly ip?: string | undefined;
  readonly body?: string | undefined;
}

const HOW =
  "write it as '[METHOD] URL [model=NAME] [Name:value ...]', such as 'POST http://api.example.com/v1/chat/completions model=NAME', or as a curl command";
/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Options of curl whose value says nothing to us. */
const VALUE_OPTIONS = new Set([
  '-o',
  '-u',
  '-A',
  '-e',
  '-b',
  '-m',
  '--max-time',
  '--output',
  '--user',
  '--connect-timeout',
]);

/**
 * `POST https://api.example.com/v1/x model=m x-tier:gold`, `/v1/models`, `curl -H 'x: y' -d '{"model":"m"}' URL` → head
 * and model. Without a method: POST when there is a model or a body, else GET. Throws an Error that says what is wrong.
 */
export function parseRequest(text: string): DescribedRequest {
  const words = splitWords(text);
  const curl = words[0] === 'curl';
  if (curl) words.shift();
  const lines: [string, string][] = [];
  let method: string | undefined;
  let url: string | undefined;
  let model: string | undefined;
  let body: string | undefined;
  let ip: string | undefined;
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const option = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? /^(-[XHd])(.+)$/s.exec(word);
    if (option) {
      word = option[1] as string;
      words.unshift(option[2] as string);
    }
    if (word === '-X' || word === '--request') method = words.shift();
    else if (word === '-H' || word === '--header') lines.push(fieldOf(words.shift() ?? ''));
    else if (/^(-d|--json|--data(-raw|-binary|-ascii)?)$/.test(word)) body = words.shift();
    else if (word === '-I' || word === '--head') method = 'HEAD';
    else if (word === '--url') url = words.shift();
    else if (VALUE_OPTIONS.has(word)) words.shift();
    else if (word.startsWith('-')) continue;
    else if (/^model[=:]/.test(word)) model = word.slice(6) || words.shift();
    else if (/^ip=/.test(word)) ip = word.slice(3);
    else if (method === undefined && url === undefined && /^[A-Z]+$/.test(word)) method = word;
    else if (url === undefined && !/^[A-Za-z0-9-]+:$/.test(word)) url = word;
    else if (/^[^\s:/]+:$/.test(word)) lines.push([word.slice(0, -1), words.shift() ?? '']);
    else lines.push(fieldOf(word));
  }
  if (url === undefined) throw new Error(`the request has no URL; ${HOW}`);
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(url)?.[1];
  if (scheme !== undefined && !/^(https?|wss?)$/i.test(scheme)) {
    throw new Error(`${url}: expected http:// or https://, not ${scheme}://; ${HOW}`);
  }
  if (method !== undefined && !TOKEN.test(method)) throw new Error(`${JSON.stringify(method)} is no method; ${HOW}`);
  model ??= body === undefined ? undefined : modelOf(body);
  const head = makeHead(method ?? (model === undefined && body === undefined ? 'GET' : 'POST'), url, lines);
  return { head, model, ...(ip !== undefined && { ip }), ...(body !== undefined && { body }) };
}

/** Words as a shell splits them: blanks, single and double quotes, backslashes (also before a line end). */
function splitWords(text: string): string[] {
  const words: string[] = [];
  for (const [word] of text.matchAll(/(?:'[^']*'|"(?:\\[\s\S]|[^"\\])*"|\\[\s\S]|[^\s'"\\])+/g)) {
    const plain = word.replace(/'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|\\([\s\S])/g, (_, single, double, escaped) => {
      if (single !== undefined) return single;
      if (double !== undefined) return double.replace(/\\(["\\$`])/g, '$1').replace(/\\\n/g, '');
      return escaped === '\n' ? '' : escaped;
    });
    if (plain !== '' || word.length > 2) words.push(plain);
  }
  return words;
}

function fieldOf(word: string): [string, string] {
  const colon = word.indexOf(':');
  const name = word.slice(0, colon).trim();
  if (colon < 1 || !TOKEN.test(name)) {
    throw new Error(`${JSON.stringify(word)} is neither model=NAME nor a field (Name: value); ${HOW}`);
  }
  return [name, word.slice(colon + 1).trim()];
}

function modelOf(body: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    const model = typeof parsed === 'object' && parsed !== null && 'model' in parsed ? parsed.model : undefined;
    return typeof model === 'string' ? model : undefined;
  } catch {
    return undefined;
  }
}

/** What a client would send: bytes beyond ASCII as UTF-8, percent-encoded; no fragment. */
function makeHead(method: string, url: string, lines: [string, string][]): RequestHead {
  const [, authorityText = '', targetText = ''] =
    /^(?:(?:https?|wss?):\/\/)?([^/?#]*)([^#]*)/i.exec(url.startsWith('/') ? `http://${url}` : url) ?? [];
  const encoded = targetText.replace(/[\u0080-\uffff]+/g, (wide) =>
    encodeURIComponent(wide.replace(/\p{Surrogate}/gu, '\ufffd')),
  );
  const target = url === '*' ? '*' : encoded.startsWith('/') ? encoded : `/${encoded}`;
  const field = lines.find(([name]) => name.toLowerCase() === 'host')?.[1];
  const authority = field ?? (url === '*' ? '' : authorityText.replace(/^[^@]*@/, ''));
  const question = target.indexOf('?');
  return {
    method,
    target,
    path: question < 0 ? target : target.slice(0, question),
    query: question < 0 ? '' : target.slice(question + 1),
    authority,
    host: authority.toLowerCase().replace(/\.?(:\d*)?$/, ''),
    minor: 1,
    get: (name) => lines.find(([n]) => n.toLowerCase() === name)?.[1],
    count: (name) => lines.filter(([n]) => n.toLowerCase() === name).length,
    each: (visit) => {
      for (const [name, value] of lines) visit(name, value);
    },
  };
}
