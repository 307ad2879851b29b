/** Tells calls of model APIs from everything else, by method and path. */
import { isOdd, readings } from '../http/path.ts';
import * as anthropic from './anthropic/request.ts';
import * as openai from './openai/request.ts';
import type { Operation } from './operation.ts';
import { boundOf } from './output.ts';

const POSTS = new Map<string, Operation>([...openai.posts, ...anthropic.posts]);
const CHAT = '/chat/completions';
const MODELS = '/v1/models';
const MODEL = '/v1/models/';

/** What `recognize` may ask of the request's fields. */
interface FieldLookup {
  get(lowerName: string): string | undefined;
}

/**
 * The operation that a request asks for, or undefined for anything we do not know, which passes untouched. Always one of a
 * few constant objects. `path`: without query, not decoded. `fields`: where given, decides whose /v1/models is meant.
 */
export function recognize(method: string, path: string, fields?: FieldLookup): Operation | undefined {
  if (method === 'POST') return POSTS.get(path);
  if ((method !== 'GET' && method !== 'HEAD') || !path.startsWith(MODELS)) return undefined;
  const api = fields?.get(anthropic.versionField) === undefined ? openai : anthropic;
  if (path === MODELS) return api.models;
  return path.startsWith(MODEL) && path.length > MODEL.length ? api.model : undefined;
}

/**
 * The same for a path that `recognize` does not know as it is written: by what any usual server could take it for, since it is
 * sent on as it came (see `readings`). Where two servers would take it for two operations, the one that generates tokens.
 */
export function recognizeSpelled(method: string, path: string, fields?: FieldLookup): Operation | undefined {
  if (!isOdd(path)) return elsewhere(method, path);
  const { whole, cut } = readings(path);
  const short = cut === whole ? undefined : (recognize(method, cut, fields) ?? elsewhere(method, cut));
  if (short !== undefined && boundOf(short) !== undefined) return short;
  return recognize(method, whole, fields) ?? elsewhere(method, whole) ?? short;
}

/** What servers have below another prefix than `/v1`, or below none, in the same form. No other path than a model API's ends so. */
function elsewhere(method: string, path: string): Operation | undefined {
  if (method !== 'POST') return undefined;
  if (path.endsWith(CHAT)) return POSTS.get(`/v1${CHAT}`);
  return path === '/completions' || path === '/embeddings' ? POSTS.get(`/v1${path}`) : undefined;
}

/** The decoded id in /v1/models/{id}, however that is spelled; undefined where there is none, or its encoding is broken. */
export function modelIdOf(path: string): string | undefined {
  let id = '';
  if (path.startsWith(MODEL)) id = path.slice(MODEL.length);
  else {
    const segments = path.split('/').filter((segment) => segment !== '');
    id = readings(`/${segments.slice(0, 2).join('/')}`).whole === MODELS ? segments.slice(2).join('/') : '';
  }
  try {
    return id === '' ? undefined : decodeURIComponent(id);
  } catch {
    return undefined;
  }
}
