/** What goes wrong with documents, as answers. */
import type { ZodError } from 'zod';
import type { StoreError } from '../../store/error.ts';
import type { Conflict } from '../../store/store.ts';
import { type Answer, type Fault, problem } from '../answer.ts';

/** Seconds after which a store that was busy is worth another try. */
const RETRY_S = '1';

/** The store could not do it; nothing was written. 422 when what was asked for is what no store can do. */
export function unavailable(error: StoreError): Answer {
  if (error.fault === 'invalid') return problem(422, 'invalid', error.message);
  const detail = `${error.message} Nothing was changed; requests go on by what the workers know.`;
  const answer = problem(503, `store_${error.fault}`, detail);
  if (error.passing) answer.fields['Retry-After'] = RETRY_S;
  return answer;
}

/** A document is not as it has to be. */
export function wrong(errors: readonly Fault[]): Answer {
  const first = errors[0];
  const where = first === undefined || first.path === '' ? '' : `${first.path}: `;
  return problem(422, 'invalid', `${where}${first?.message ?? 'the document is wrong'}`, errors);
}

/** How many are asked for (`limit`), or what is wrong with that. */
export function limitOf(query: URLSearchParams, usual: number, most: number): number | Answer {
  const limit = Number(query.get('limit') ?? usual);
  if (Number.isInteger(limit) && limit >= 1 && limit <= most) return limit;
  return wrong([{ path: 'limit', message: `expected a whole number from 1 to ${most}` }]);
}

/** A document is not as its schema says. */
export function wrongBySchema(error: ZodError): Answer {
  const faults = error.issues.flatMap((issue): Fault[] => {
    if (issue.code !== 'unrecognized_keys') return [{ path: written(issue.path), message: issue.message }];
    return issue.keys.map((key) => ({ path: written([...issue.path, key]), message: 'there is no such field' }));
  });
  return wrong(faults);
}

function written(path: readonly PropertyKey[]): string {
  return path
    .map((one) => (typeof one === 'number' ? `[${one}]` : `.${String(one)}`))
    .join('')
    .replace(/^\./, '');
}

/** Someone else was faster, or a name is taken. */
export function conflicted({ reason, kind, id, version, lookup, holder }: Conflict, created: boolean): Answer {
  if (reason === 'lookup') {
    return problem(
      409,
      'taken',
      `${lookup.replace(/^hash:.*/, 'This secret').replace(/^domain:/, 'The domain ')} belongs to the ${kind} ${holder} already.`,
    );
  }
  if (created) return problem(409, 'exists', `There is a ${kind} ${id} already (version ${version}).`);
  return changed(`The ${kind} ${id}`, version);
}

/** `If-Match` holds another version. */
export function changed(what: string, version: number): Answer {
  const now = version === 0 ? 'is gone' : `is at version "${version}" now`;
  return problem(412, 'changed', `${what} ${now}: someone else has changed it. Read it again, and decide again.`);
}
