/** Tells calls of model APIs from everything else, by method and path. */
import * as anthropic from './anthropic/request.ts';
import * as openai from './openai/request.ts';
import type { Operation } from './operation.ts';

const POSTS = new Map<string, Operation>([...openai.posts, ...anthropic.posts]);
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

/** The decoded id in /v1/models/{id}; undefined where the path is not that, or is not valid percent-encoding. */
export function modelIdOf(path: string): string | undefined {
  if (!path.startsWith(MODEL) || path.length === MODEL.length) return undefined;
  try {
    return decodeURIComponent(path.slice(MODEL.length));
  } catch {
    return undefined;
  }
}
