/** The reference pages, made from what the program itself uses. */
import { ERROR_CODES, type ErrorCode, GatehouseError } from '../kernel/error.ts';
import { range } from './expect.ts';
import { type JsonSchema, rawSchema } from './schema.ts';

const MADE = '<!-- Made by `npm run generate`; changes here are lost. -->';

/** `docs/reference/configuration.md`: every key with type, default and description. */
export function configurationPage(): string {
  const schema = rawSchema();
  const lines = [
    MADE,
    '# Configuration',
    '',
    'One YAML file (JSON is YAML too). `gatehouse check -c FILE` tells every mistake in it; `gatehouse schema` prints the',
    'JSON Schema, which editors use for completion. Unknown keys are mistakes.',
    '',
    '| written | means |',
    '| --- | --- |',
    '| `500ms`, `30s`, `5m`, `1h30m`, `2d` | a duration, at most 24 days; `0` where there may be none |',
    '| `4096`, `64KiB`, `1MiB`, `1GB` | a size in bytes |',
    '| `20%`, `0.5%` | a percentage |',
    '| `$' +
      '{NAME}`, `$' +
      '{NAME:-fallback}` | an environment variable, in any string; in quotes inside `{ }` and `[ ]` |',
    '| `$$' + '{` | the characters `$' + '{` |',
    '| `file:/path`, `file:name` | the contents of a file, without its last line end; `name` is beside the configuration; an empty file is a mistake |',
    '| `&name`, `*name`, `<<: *name` | YAML anchors, aliases and merged mappings |',
    '',
    'Certificates and keys are paths of PEM files (beside the configuration when relative), or PEM text by a reference.',
    'They are read and checked with the configuration: a key that does not belong to its certificate or an expired',
    'certificate is a mistake; one that expires within 14 days is a warning.',
    '',
    'In the paths below, NAME stands for a name you choose and `[]` for each item of a list.',
  ];
  for (const [key, part] of Object.entries(schema.properties ?? {})) {
    lines.push(
      '',
      `## ${key}`,
      '',
      part.description ?? '',
      '',
      '| key | type | default | description |',
      '| --- | --- | --- | --- |',
    );
    rows(key, part, schema.required?.includes(key) ? 'required' : '', lines);
  }
  return `${lines.join('\n')}\n`;
}

function rows(path: string, schema: JsonSchema, required: string, lines: string[]): void {
  lines.push(
    `| \`${path}\` | ${cell(type(schema))} | ${cell(fallback(schema, required))} | ${cell(schema.description ?? '')} |`,
  );
  inside(path, schema, lines);
}

/** Rows of the keys inside; alternatives that are mappings show theirs too. */
function inside(path: string, schema: JsonSchema, lines: string[], must = 'required'): void {
  for (const [key, child] of Object.entries(schema.properties ?? {})) {
    rows(`${path}.${key}`, child, schema.required?.includes(key) ? must : '', lines);
  }
  if (typeof schema.additionalProperties === 'object') inside(`${path}.NAME`, schema.additionalProperties, lines);
  if (schema.items !== undefined) inside(`${path}[]`, schema.items, lines);
  for (const choice of schema.anyOf ?? []) inside(path, choice, lines, 'required in this form');
}

function type(schema: JsonSchema): string {
  if (schema.unit !== undefined) return schema.unit.replace(/^a /, '');
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(type))].join(' or ');
  if (schema.enum !== undefined) return schema.enum.map((word) => `\`${word}\``).join(', ');
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.type === 'array') return `list of ${type(schema.items ?? {})}`;
  if (schema.type === 'object') {
    const values = schema.additionalProperties;
    return typeof values === 'object' && values.properties === undefined ? `mapping of ${type(values)}` : 'mapping';
  }
  if (schema.type === 'integer' || schema.type === 'number') return `number${range(schema)}`;
  return String(schema.type ?? 'anything');
}

function fallback(schema: JsonSchema, required: string): string {
  if (required !== '') return required;
  const value = schema.default;
  if (value === undefined || (typeof value === 'object' && JSON.stringify(value) === '{}')) return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

/** Text of a table cell: bars and, outside code, what else Markdown would take for its own. */
const cell = (text: string) =>
  text
    .split('`')
    .map((part, i) => (i % 2 === 0 ? part.replace(/[*<>_]/g, '\\$&') : part))
    .join('`')
    .replaceAll('|', '\\|');

const CAUSES: Partial<Record<ErrorCode, string>> = {
  bad_request: 'The request breaks the rules of HTTP. Mend the client.',
  invalid_body: 'The body is not what the API asks for. The message names the parameter.',
  unauthorized: 'Credentials are missing or not accepted. `WWW-Authenticate` says why.',
  forbidden: 'A rule refuses this caller. The message names it.',
  unknown_operation:
    'Tokens or money are limited here, and what this operation uses cannot be counted. `unknownOperations` of the route lets it pass.',
  not_found: 'No route matches host, path and the rest.',
  model_not_found: 'The body names no model, or one that this route does not offer. `/v1/models` lists them.',
  method_not_allowed: 'The resource does not take this method.',
  request_timeout: 'The request came too slowly. Listener: `timeouts.head`, `timeouts.body`.',
  length_required: 'A body without its length.',
  body_too_large: 'The body is over `limits.body` of the listener, or `maxBody` of the route.',
  uri_too_long: 'The request target is over `limits.uri` of the listener.',
  unsupported_media_type: 'The body has a media type that cannot be read here.',
  expectation_failed: 'An `Expect` field with something other than 100-continue.',
  misdirected_request: 'The host is not one of the certificate that this connection was opened with.',
  rate_limited: 'A limit is used up. `Retry-After` says when to come back.',
  insufficient_quota: 'A budget is spent. The message names it, and says when it begins anew.',
  quota_unavailable:
    'Several nodes share a limit and their store cannot be reached, and the limit says `onStoreLoss: refuse`. Or what was spent of a budget cannot be read.',
  head_too_large: 'The head is over `limits.head` or `limits.fields` of the listener.',
  client_closed: 'The client left before its answer; seen in logs and metrics only.',
  internal: 'A fault of Gatehouse itself. The log has more; please report it.',
  unsupported_coding: 'A transfer coding other than chunked.',
  not_implemented: 'A part of HTTP that Gatehouse does not do.',
  upstream_refused: 'No endpoint took the connection. Are the servers up?',
  upstream_reset: 'The server closed the connection before it answered.',
  upstream_protocol: 'The server broke the rules of HTTP. The log has the rule.',
  upstream_incomplete: 'The answer of the server ended too soon.',
  upstream_tls: 'TLS with the server failed. Upstream: `tls.ca`, `tls.serverName`.',
  upstream_dns: 'The name of the server could not be resolved.',
  no_endpoint: 'No endpoint is healthy and has room.',
  fault_injected:
    'A fault that someone switched on on purpose (`chaos`); the status is the one they chose. `/api/status` names it.',
  auth_unavailable:
    'Who calls cannot be told at the moment: the keys that tokens are signed with have not been had yet. The log says why.',
  queue_full:
    'As many requests wait for the upstream as may, or this one would wait too long. `Retry-After` and `x-gatehouse-queue-wait` say how long the wait would be, `x-gatehouse-queue-position` how many are before it. See `queue` of the upstream.',
  queue_timeout:
    'The request has waited for a place at a server as long as it may (`queue.wait` of the upstream). `x-gatehouse-queue-position` and `x-gatehouse-queue-wait` say what it would find if it came now.',
  load_shed:
    'This gateway is near a limit of `overload` and refuses what is newest and least important. The rule names the limit.',
  ledger_unavailable:
    'What requests use cannot be written down (is the disk full?), and `ledger.required` says that then none may pass.',
  overloaded:
    'As many connections or requests as allowed are under way, or this machine has no socket left (`ulimit -n`).',
  draining: 'This process is being replaced. Try again at once.',
  connect_timeout: 'The server took no connection within `timeouts.connect` of the upstream.',
  first_byte_timeout: 'The server did not begin to answer within `timeouts.firstByte` of the upstream.',
  idle_timeout: 'The server paused longer than `timeouts.idle` of the upstream.',
  total_timeout: 'The exchange took longer than `timeouts.total` of the upstream.',
  version_not_supported: 'A version of HTTP that is not served here.',
  loop_detected: 'The request came through this Gatehouse before. A route leads back to its own listener.',
};

/** `docs/reference/errors.md`: every code with status and cause. */
export function errorsPage(): string {
  const lines = [
    MADE,
    '# Errors',
    '',
    'What Gatehouse answers itself, when it refuses a request or a server fails. The body has the shape of the API that the',
    'client speaks, with the code in it; the `Proxy-Status` field (RFC 9209) carries the cause for machines.',
    '',
    '| code | status | cause, and where to look | Proxy-Status error | connection afterwards |',
    '| --- | --- | --- | --- | --- |',
  ];
  for (const code of ERROR_CODES) {
    const error = new GatehouseError(code, '');
    lines.push(
      `| \`${code}\` | ${error.status} | ${CAUSES[code] ?? ''} | \`${error.proxyError}\` | ${error.close ? 'closed' : 'kept'} |`,
    );
  }
  return `${lines.join('\n')}\n`;
}
