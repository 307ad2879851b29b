/** What the admin API tells of the gateway itself, and the operations that concern it as a whole. */
import { z } from 'zod';
import { OPENMETRICS_TYPE, PROMETHEUS_TYPE } from '../observe/prometheus.ts';
import { prefersOpenMetrics } from './accept.ts';
import { type Answer, json } from './answer.ts';
import type { AdminHandle, Outcome } from './handle.ts';
import type { Call, Operation } from './operation.ts';
import { PAGE_FIELDS, renderPage } from './page.ts';
import { redact } from './redact.ts';

const health = z.object({ status: z.string(), reasons: z.array(z.string()).optional() });
const outcome = z.object({
  ok: z.boolean(),
  generation: z.number().optional(),
  changes: z.array(z.string()).optional(),
});

const look = { method: 'GET', role: 'viewer', tag: 'gateway' } as const;
const run = { method: 'POST', role: 'operator', tag: 'gateway' } as const;

/** Operations on the gateway. `pages` gives the paths of the page at `/`. */
export function systemOperations(pages: () => readonly (readonly [string, string])[]): Operation[] {
  return [
    { ...look, path: '/', what: 'this page', answer: 'html', run: ({ handle }) => page(handle, pages()) },
    {
      ...look,
      path: '/metrics',
      what: 'metrics, as Prometheus text or OpenMetrics',
      group: 'metrics',
      answer: 'text',
      run: metrics,
    },
    {
      ...look,
      path: '/healthz',
      what: 'whether the process lives',
      group: 'health',
      answer: health,
      run: ({ handle }) => healthOf(handle, 'live'),
    },
    {
      ...look,
      path: '/readyz',
      what: 'whether it should get traffic',
      group: 'health',
      answer: health,
      run: ({ handle }) => healthOf(handle, 'ready'),
    },
    {
      ...look,
      path: '/api/status',
      what: 'version, workers, listeners, upstreams',
      answer: z.looseObject({ version: z.string(), generation: z.number() }),
      run: ({ handle }) => json(200, handle.status()),
    },
    {
      ...look,
      path: '/api/config',
      what: 'the running configuration, without secrets',
      answer: z.looseObject({}),
      run: ({ handle }) => json(200, redact(handle.config())),
    },
    {
      ...look,
      path: '/api/reload',
      what: 'what a reload would change; POST reloads',
      answer: outcome,
      run: async ({ handle }) => outcomeOf(await handle.preview()),
    },
    {
      ...run,
      path: '/api/reload',
      what: 'loads the configuration anew; 409 when it is refused',
      answer: outcome,
      run: async ({ handle }) => outcomeOf(await handle.reload()),
    },
    {
      ...look,
      path: '/api/upgrade',
      what: 'whether an upgrade is under way; POST starts the program anew beside this one, and hands over to it',
      answer: z.object({ upgrading: z.boolean() }),
      run: ({ handle }) => json(200, { upgrading: handle.upgrading() }),
    },
    {
      ...run,
      path: '/api/upgrade',
      what: 'starts the program anew beside this one, and hands over to it; 409 when that fails',
      answer: outcome,
      run: async ({ handle }) => outcomeOf(await handle.upgrade()),
    },
  ];
}

/** 409: what was asked for is refused, and everything stays as it was. */
function outcomeOf(result: Outcome): Answer {
  return json(result.ok ? 200 : 409, result);
}

function page(handle: AdminHandle, paths: readonly (readonly [string, string])[]): Answer {
  return { status: 200, fields: { ...PAGE_FIELDS }, body: renderPage(handle.status(), paths) };
}

function metrics({ handle, request }: Call): Answer {
  const openMetrics = prefersOpenMetrics(request.headers.accept);
  const type = openMetrics ? OPENMETRICS_TYPE : PROMETHEUS_TYPE;
  return { status: 200, fields: { 'Content-Type': type, Vary: 'Accept' }, body: handle.metrics(openMetrics) };
}

function healthOf(handle: AdminHandle, which: 'live' | 'ready'): Answer {
  const { live, ready, reasons } = handle.health();
  const good = which === 'live' ? live : live && ready;
  return json(good ? 200 : 503, good ? { status: 'ok' } : { status: 'unavailable', reasons });
}
