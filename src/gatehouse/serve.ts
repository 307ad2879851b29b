/**
 * Routes on which Gatehouse itself answers: the worker holds the small body, and the supervisor, which has keys and store,
 * decides. What limits and access say holds here as everywhere.
 */
import { GatehouseError } from '../kernel/error.ts';
import { LENGTH_NONE } from '../kernel/exchange.ts';
import { requestUri } from '../policy/access/access.ts';
import { SERVICE_BODY_MAX, SERVICE_FIELDS, type ServiceAnswer, type ServiceRequest } from '../policy/token/token.ts';
import { flushCorked } from '../socket/cork.ts';
import { holdBody } from './hold.ts';
import { ANSWERED, type Passage, type Step } from './passage.ts';

type Found = NonNullable<Passage['route']>;

/** Holds the body of what goes to a service. */
export function holdForService(passage: Passage): Step {
  const { exchange } = passage;
  if ((passage.route as Found).config.service === undefined) return undefined;
  if (exchange.requestLength === LENGTH_NONE || passage.body !== undefined) return undefined;
  if (exchange.requestLength > SERVICE_BODY_MAX)
    return new GatehouseError('body_too_large', `the body is larger than ${SERVICE_BODY_MAX} bytes`);
  exchange.bodyLimit = Math.min(exchange.bodyLimit, SERVICE_BODY_MAX);
  holdBody(passage);
  return ANSWERED;
}

/** Lets the service answer. */
export function serve(passage: Passage): Step {
  const { service } = (passage.route as Found).config;
  if (service === undefined) return undefined;
  const { askService } = passage.worker;
  if (askService === undefined) return unavailable();
  askService(service, requestOf(passage)).then(
    (answer) => {
      // The client may have left meanwhile.
      if (passage.exchange.outcome !== 'open') return;
      passage.answerWhole(answer.status, linesOf(answer), answer.body);
      flushCorked();
    },
    (error) => {
      if (passage.exchange.outcome !== 'open') return;
      const why = error instanceof Error ? error.message : String(error);
      passage.worker.events.emit('notice', { level: 'error', message: `${service} cannot answer: ${why}` });
      passage.refuse(unavailable());
      flushCorked();
    },
  );
  return ANSWERED;
}

const unavailable = () =>
  new GatehouseError('auth_unavailable', 'This service cannot answer at the moment: try again.', {
    retryAfterMs: 1000,
  });

function requestOf({ exchange, head, body }: Passage): ServiceRequest {
  const { inbound } = exchange;
  const fields: Record<string, string> = {};
  for (const name of SERVICE_FIELDS) {
    const value = head.get(name);
    if (value === undefined) continue;
    // What stands twice means nothing to any of them.
    fields[name] = head.count(name) === 1 ? value : `${value},${value}`;
  }
  return {
    method: head.method,
    path: head.path,
    query: head.query,
    uri: requestUri(exchange),
    address: inbound.clientAddress,
    thumbprint: inbound.tls?.certificate?.thumbprint ?? '',
    fields,
    body: body === undefined ? '' : body.toString('utf8'),
  };
}

function linesOf({ fields }: ServiceAnswer): string {
  let lines = '';
  for (const [name, value] of fields) lines += `${name}: ${value.replace(/[\r\n]/g, ' ')}\r\n`;
  return lines;
}
