/** Requests that are no operation we know: which of them could make a model work, and whose API they speak. */
import { versionField } from './anthropic/request.ts';
import type { Operation } from './operation.ts';

/** Methods by which no model API generates anything: they read, ask or delete (RFC 9110 §9.2.1, §9.3.5). */
const QUIET: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'DELETE']);

/** What is posted to be kept, or to stop something. As it is written here only: another spelling may lead elsewhere. */
const KEPT = new RegExp(
  `^/v1/(?:${[
    'files',
    'uploads(?:/[\\w-]+/(?:parts|complete|cancel))?',
    'conversations(?:/[\\w-]+(?:/items)?)?',
    '(?:responses|batches|messages/batches|fine_tuning/jobs)/[\\w-]+/cancel',
  ].join('|')})$`,
);

/**
 * Whether a request that is no operation we know may generate tokens. In doubt it may: any body may be a prompt. `path`: without
 * query, as the server gets it.
 */
export function mayGenerate(method: string, path: string, hasBody: boolean): boolean {
  if (QUIET.has(method)) return hasBody;
  return method !== 'POST' || !KEPT.test(path);
}

/** Whose API a request speaks that is sent to servers of `served`: for the shape of an answer of ours. */
export function spokenProtocol(
  fields: { get(lowerName: string): string | undefined },
  served: Operation['protocol'],
): Operation['protocol'] {
  return fields.get(versionField) === undefined ? served : 'anthropic';
}
