/**
 * One JSON line per request, written by hand because `JSON.stringify` of an object costs several times as much. Keys
 * stand in a fixed order and bear OpenTelemetry's names where there are such; what is empty is left out.
 */
import type { Clock } from '../kernel/clock.ts';
import type { Exchange, Usage } from '../kernel/exchange.ts';
import type { Identity } from '../kernel/identity.ts';
import { CLASSES, classOf } from '../kernel/priority.ts';
import { Fragments } from './fragments.ts';
import { countText, millisText, quote, quoteName, timestamp } from './json.ts';

/** Most UTF-16 units kept of a path, a host or a user agent; the rest is cut off. */
const MAX_PATH = 1024;
const MAX_HOST = 255;
const MAX_AGENT = 256;

/**
 * The line of an exchange that has ended, line feed included. The query is left out: it may hold secrets (keys,
 * pre-signed URLs), and the path tells enough to find the request by its id.
 */
export function accessLogLine(x: Exchange, clock: Clock): string {
  const { inbound, head, error } = x;
  let line =
    `{"timestamp":"${timestamp(clock.wall())}","request_id":${quote(x.id)}` +
    `,"client.address":${quote(inbound.clientAddress)}${cameBy(x)},"url.path":${quote(head.path, MAX_PATH)}${wentTo(x)}` +
    `${x.route === '' ? '' : CLASS_TEXT[classOf(x.priority)]}${calledBy(x.identity)},"http.response.status_code":${x.status},"outcome":"${x.outcome}"`;
  if (error !== undefined) {
    line += `,"error.type":"${error.code}"`;
    if (error.rule !== undefined) line += `,"error.rule":${quoteName(error.rule)}`;
    line += `,"error.message":${quote(error.message, MAX_AGENT)}`;
  }
  line +=
    `,"tries":${x.tries},"http.request.body.size":${x.requestBytes},"http.response.body.size":${x.responseBytes}` +
    `,"duration_ms":${millisText(x.endedAt - x.startedAt)}`;
  if (x.firstByteAt > 0) line += `,"ttfb_ms":${millisText(x.firstByteAt - x.startedAt)}`;
  if (x.firstTokenAt > 0) line += `,"ttft_ms":${millisText(x.firstTokenAt - x.startedAt)}`;
  if (x.forwardedAt > 0) line += `,"upstream_ms":${millisText(x.endedAt - x.forwardedAt)}`;
  if (x.stream) line += ',"stream":true';
  if (x.usage !== undefined) line += usageText(x.usage) + (SOURCES[x.usageSource] ?? '');
  const agent = head.get('user-agent');
  return agent === undefined ? `${line}}\n` : `${line},"user_agent.original":${quote(agent, MAX_AGENT)}}\n`;
}

// Two stretches of a line are the same for most requests. Keeping them whole halves the pieces that a line is put
// together from, and with that its cost.
const cameByKnown = new Fragments();
const wentToKnown = new Fragments();

function cameBy(x: Exchange): string {
  const { listener, scheme, httpVersion = '' } = x.inbound;
  const { method, host } = x.head;
  const version = httpVersion === '' ? '' : `,"network.protocol.version":"${httpVersion}"`;
  return (
    cameByKnown.get(listener, scheme, method, host, httpVersion, '', '') ??
    cameByKnown.put(
      listener,
      scheme,
      method,
      host,
      httpVersion,
      '',
      '',
      `,"listener":${quote(listener)},"http.request.method":${quote(method)},"url.scheme":${quote(scheme)}${version}` +
        `,"server.address":${quote(host, MAX_HOST)}`,
    )
  );
}

function wentTo(x: Exchange): string {
  const { route, model, version, upstream, endpoint, protocol, operation } = x;
  const known = wentToKnown.get(route, model, upstream, endpoint, version, protocol, operation);
  if (known !== undefined) return known;
  let text = '';
  if (protocol !== 'http') text += `,"protocol":"${protocol}"`;
  if (operation !== '') text += `,"gen_ai.operation.name":${quote(operation)}`;
  if (route !== '') text += `,"route":${quote(route)}`;
  if (model !== '') text += `,"gen_ai.request.model":${quote(model, MAX_AGENT)}`;
  if (version !== '') text += `,"version":${quote(version)}`;
  if (upstream !== '') text += `,"upstream":${quote(upstream)}`;
  if (endpoint !== '') text += `,"endpoint":${quote(endpoint)}`;
  return wentToKnown.put(route, model, upstream, endpoint, version, protocol, operation, text);
}

/** By the number of the class. */
const CLASS_TEXT = CLASSES.map((name) => `,"class":"${name}"`);

const callers = new WeakMap<Identity, string>();

/** One identity serves all requests of a credential, and so does its piece of the line. */
function calledBy(identity: Identity | undefined): string {
  if (identity === undefined) return '';
  let text = callers.get(identity);
  if (text === undefined) {
    const { method, principal, credential, tenant } = identity;
    text = `,"auth.method":"${method}","principal":${quote(principal, MAX_AGENT)},"credential":${quote(credential, MAX_AGENT)}`;
    if (tenant !== '') text += `,"tenant":${quote(tenant, MAX_AGENT)}`;
    callers.set(identity, text);
  }
  return text;
}

const SOURCES: Readonly<Record<string, string>> = {
  reported: ',"usage.source":"reported"',
  counted: ',"usage.source":"counted"',
  estimated: ',"usage.source":"estimated"',
};

function usageText(usage: Usage): string {
  let text = `,"gen_ai.usage.input_tokens":${countText(usage.inputTokens)},"gen_ai.usage.output_tokens":${countText(usage.outputTokens)}`;
  if (usage.cachedInputTokens > 0)
    text += `,"gen_ai.usage.cache_read.input_tokens":${countText(usage.cachedInputTokens)}`;
  if (usage.reasoningTokens > 0) text += `,"gen_ai.usage.reasoning.output_tokens":${countText(usage.reasoningTokens)}`;
  return text;
}

/** A key of the line, for the reference page. */
export interface AccessLogField {
  readonly key: string;
  readonly type: 'string' | 'number' | 'boolean';
  /** `always`, or when the key is there. */
  readonly when: string;
  readonly meaning: string;
}

function field(key: string, type: AccessLogField['type'], when: string, meaning: string): AccessLogField {
  return { key, type, when, meaning };
}

/** Every key, in the order in which they stand in a line. */
export const ACCESS_LOG_FIELDS: readonly AccessLogField[] = [
  field('timestamp', 'string', 'always', 'When the answer had ended; RFC 3339, UTC, milliseconds.'),
  field('request_id', 'string', 'always', 'Unique id, also sent as `x-request-id`.'),
  field('client.address', 'string', 'always', 'Address of the client, behind trusted hops.'),
  field('listener', 'string', 'always', 'Listener that took the connection.'),
  field('http.request.method', 'string', 'always', 'Method.'),
  field('url.scheme', 'string', 'always', '`http` or `https`, as the client sees it.'),
  field('network.protocol.version', 'string', 'HTTP/2', 'Version of HTTP that the client spoke: `2`.'),
  field('server.address', 'string', 'always', 'Host that was asked for, without port.'),
  field('url.path', 'string', 'always', 'Path as it was sent, without the query.'),
  field('protocol', 'string', 'model APIs', 'API family: `openai` or `anthropic`.'),
  field('gen_ai.operation.name', 'string', 'model APIs', '`chat`, `messages`, `embeddings`, …'),
  field('route', 'string', 'a route matched', 'Route.'),
  field('gen_ai.request.model', 'string', 'the request names one', 'Model as the client named it.'),
  field('version', 'string', 'the model has versions', 'Version of the model that was picked.'),
  field('upstream', 'string', 'one was chosen', 'Upstream.'),
  field('endpoint', 'string', 'one was tried', 'Endpoint of the last try.'),
  field('class', 'string', 'a route matched', '`realtime`, `batch` or `test`, by its importance.'),
  field('auth.method', 'string', 'a caller was proved', '`apiKey`, `jwt` or `certificate`.'),
  field('principal', 'string', 'a caller was proved', 'Whom the credential stands for.'),
  field(
    'credential',
    'string',
    'a caller was proved',
    'Public name of the credential: the id of a key, the `jti` of a token.',
  ),
  field('tenant', 'string', 'the caller has one', 'Tenant.'),
  field('http.response.status_code', 'number', 'always', 'Status sent to the client; 0 when nothing was sent.'),
  field(
    'outcome',
    'string',
    'always',
    '`completed`, `denied`, `failed`, `client_aborted`, `upstream_aborted`; `open` never stands in a line of a sound worker.',
  ),
  field('error.type', 'string', 'Gatehouse made an error', 'Error code.'),
  field('error.rule', 'string', 'a rule decided', 'Name of the rule, route or setting.'),
  field('error.message', 'string', 'Gatehouse made an error', 'What the client was told.'),
  field('tries', 'number', 'always', 'How often the request was sent to an endpoint.'),
  field('http.request.body.size', 'number', 'always', 'Bytes of the request body that came in.'),
  field('http.response.body.size', 'number', 'always', 'Bytes of the response body that went out.'),
  field('duration_ms', 'number', 'always', 'From the request head to the end of the answer.'),
  field('ttfb_ms', 'number', 'the upstream answered', 'From the request head to the first byte of the response head.'),
  field('ttft_ms', 'number', 'a stream began', 'From the request head to the first generated content.'),
  field('upstream_ms', 'number', 'it was sent upstream', 'From the first try to the end of the answer.'),
  field('stream', 'boolean', 'true', 'The client asked for a stream.'),
  field('gen_ai.usage.input_tokens', 'number', 'usage is known', 'Prompt tokens, cached ones included.'),
  field('gen_ai.usage.output_tokens', 'number', 'usage is known', 'Generated tokens.'),
  field('gen_ai.usage.cache_read.input_tokens', 'number', 'above 0', 'Prompt tokens that came from a cache.'),
  field('gen_ai.usage.reasoning.output_tokens', 'number', 'above 0', 'Generated tokens spent on reasoning.'),
  field(
    'usage.source',
    'string',
    'usage is known',
    'Who says so: `reported` by the server, `counted` by a tokenizer, or `estimated`.',
  ),
  field('user_agent.original', 'string', 'the client sent one', 'User agent, at most 256 characters.'),
];
