/** The reference pages of this room, made from the declarations, so that they cannot tell of what is not. Pure. */
import { ACCESS_LOG_FIELDS } from './accesslog.ts';
import { PROCESS_METRICS, SUPERVISOR_METRICS, WORKER_METRICS } from './catalog.ts';
import { MAX_SERIES, type MetricDefinition } from './definition.ts';
import { SERIES_FOLDED } from './registry.ts';
import { MERGE_FOLDED } from './rollup.ts';

/** `docs/reference/metrics.md`. */
export function metricsReference(): string {
  return `# Metrics

<!-- Generated from src/observe/catalog.ts by npm run generate. Do not edit. -->

\`GET /metrics\` on the admin address gives these as Prometheus text (format 0.0.4), or as OpenMetrics 1.0 to a scraper
that prefers it. All workers are added up, and totals outlive the workers that counted them. Gauges of several workers
are summed unless the table says otherwise.

A metric has at most ${MAX_SERIES} series unless the table says otherwise; label sets beyond that are counted under
\`other\`, and \`${SERIES_FOLDED.name}\` tells. An empty label means that there is none: a request that was refused before a
route was found has no \`route\`, and one for an unknown model has no \`model\` (the access log has its name).

\`otel\` is the [OpenTelemetry semantic-convention](https://opentelemetry.io/docs/specs/semconv/) metric that measures
the same.

## Requests, connections, upstreams

${table(Object.values(WORKER_METRICS))}
## Processes

${table(Object.values(PROCESS_METRICS))}
## Supervisor

${table(Object.values(SUPERVISOR_METRICS))}
## The metrics themselves

${table([SERIES_FOLDED, MERGE_FOLDED])}
## Buckets

${buckets(Object.values(WORKER_METRICS))}`;
}

/** `docs/reference/access-log.md`. */
export function accessLogReference(): string {
  const rows = ACCESS_LOG_FIELDS.map((f) => `| \`${f.key}\` | ${f.type} | ${f.when} | ${f.meaning} |`);
  return `# Access log

<!-- Generated from src/observe/accesslog.ts by npm run generate. Do not edit. -->

One JSON object per line and request, written when the answer has ended. \`log: { access: … }\` says where the lines go:
\`stdout\`, \`off\` or a file. A file is re-opened on SIGUSR2, on SIGHUP, and within two seconds of having been renamed, so
any log rotation works.

Keys stand in this order; one whose value is not known is left out. Dotted keys are
[OpenTelemetry's](https://opentelemetry.io/docs/specs/semconv/) names. Times are milliseconds, with up to three decimals.

The query is never written: it may hold keys and pre-signed URLs. Header fields are not written either, the user agent
excepted. Control characters are escaped, also those that JSON would allow, so a line cannot steer a terminal.

When the disk is full or the reader of standard output is behind, requests are served on and lines are dropped;
\`gatehouse_log_lines_dropped_total{log="access"}\` counts them and the operational log says why.

| key | type | there | meaning |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}

function table(definitions: readonly MetricDefinition[]): string {
  const rows = definitions.map((d) => {
    const labels = d.labels.map((label) => `\`${label}\``).join(', ');
    const notes = [
      d.merge && d.merge !== 'sum' ? `Of several workers the ${MERGED[d.merge]}.` : '',
      d.maxSeries && d.maxSeries > 1 ? `At most ${d.maxSeries} series.` : '',
    ];
    const help = [d.help, ...notes.filter((note) => note !== '')].join(' ');
    return `| \`${d.name}\` | ${d.kind} | ${labels} | ${help} | ${d.otel ? `\`${d.otel}\`` : ''} |`;
  });
  return `| name | kind | labels | meaning | otel |\n| --- | --- | --- | --- | --- |\n${rows.join('\n')}\n`;
}

const MERGED = { sum: 'sum', max: 'greatest', min: 'least', last: 'last' } as const;

function buckets(definitions: readonly MetricDefinition[]): string {
  const rows = definitions.filter((d) => d.bounds).map((d) => `| \`${d.name}\` | ${(d.bounds ?? []).join(', ')} |`);
  return `| histogram | upper bounds, besides +Inf |\n| --- | --- |\n${rows.join('\n')}\n`;
}
