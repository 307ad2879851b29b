/** What may be switched at run time: faults on purpose, and breakers. */
import { z } from 'zod';
import { type Answer, json, problem } from './answer.ts';
import { readJson } from './change.ts';
import type { Call, Operation } from './operation.ts';

const fault = z.looseObject({ name: z.string(), what: z.string() });
const breaker = z.looseObject({ upstream: z.string(), endpoint: z.string(), state: z.string() });

const look = { method: 'GET', role: 'viewer' } as const;
const change = { role: 'operator' } as const;

/** Operations on faults and breakers. */
export const switches: readonly Operation[] = [
  {
    ...look,
    path: '/api/chaos',
    tag: 'chaos',
    what: 'faults injected on purpose; POST a JSON document with `for` starts one, DELETE ?name=… stops it',
    answer: z.object({ faults: z.array(fault) }),
    run: ({ handle }) => json(200, { faults: handle.chaos?.list() ?? [] }),
  },
  {
    ...change,
    method: 'POST',
    path: '/api/chaos',
    tag: 'chaos',
    what: 'starts a fault, or replaces the one of the same name',
    body: z.looseObject({ for: z.string().describe('How long it lasts, such as 5m.'), name: z.string().optional() }),
    status: 201,
    answer: fault,
    run: startChaos,
  },
  {
    ...change,
    method: 'DELETE',
    path: '/api/chaos',
    tag: 'chaos',
    what: 'stops a fault, or all of them',
    query: { name: 'Its name; all when left out.' },
    answer: z.object({ stopped: z.number() }),
    run: stopChaos,
  },
  {
    ...look,
    path: '/api/queue',
    tag: 'queue',
    what: 'who waits for a place at a server, and which limits hold there',
    answer: z.object({ queues: z.array(z.looseObject({ upstream: z.string(), waiting: z.number() })) }),
    run: ({ handle }) => json(200, { queues: handle.queues?.() ?? [] }),
  },
  {
    ...look,
    path: '/api/breakers',
    tag: 'breakers',
    what: 'breakers that are not closed; POST ?upstream=…&endpoint=…&state=open, closed or auto forces one',
    answer: z.object({ breakers: z.array(breaker) }),
    run: ({ handle }) => json(200, { breakers: handle.breakers?.list() ?? [] }),
  },
  {
    ...change,
    method: 'POST',
    path: '/api/breakers',
    tag: 'breakers',
    what: 'opens or closes a breaker until told otherwise, or leaves it to its rules',
    query: { upstream: 'Name of the upstream.', endpoint: 'Name of the endpoint.', state: 'open, closed or auto.' },
    answer: breaker,
    run: forceBreaker,
  },
];

async function startChaos({ handle, request }: Call): Promise<Answer> {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    return problem(415, 'unsupported_media_type', 'Send a JSON document with Content-Type: application/json.');
  }
  const order = await readJson(request);
  const started = order.ok ? handle.chaos?.start(order.value) : order;
  if (started === undefined) return problem(404, 'not_found', 'This gateway injects no faults.');
  if (!started.ok) return problem(400, 'invalid', started.problems.join('; '));
  return json(201, started.value);
}

function stopChaos({ handle, query }: Call): Answer {
  const name = query.get('name') ?? undefined;
  const stopped = handle.chaos?.stop(name) ?? 0;
  if (stopped === 0 && name !== undefined) return problem(404, 'not_found', `No fault named ${name} runs here.`);
  return json(200, { stopped });
}

function forceBreaker({ handle, query }: Call): Answer {
  const state = query.get('state');
  if (state !== 'open' && state !== 'closed' && state !== 'auto') {
    return problem(400, 'invalid', 'state has to be open, closed, or auto (its rules decide again).');
  }
  const upstream = query.get('upstream') ?? '';
  const endpoint = query.get('endpoint') ?? '';
  if (handle.breakers?.force(upstream, endpoint, state) !== true) {
    const message = `There is no endpoint ${JSON.stringify(endpoint)} of an upstream ${JSON.stringify(upstream)}; /api/status lists them.`;
    return problem(404, 'not_found', message);
  }
  return json(200, { upstream, endpoint, state });
}
