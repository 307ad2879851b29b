/** The stages of the pipeline, in the order in which gatehouse.ts lists them. Each decides one thing. */
import {
  boundOf,
  type Operation,
  PeekFault,
  peekRequest,
  recognize,
  recognizeSpelled,
  rewriteRequest,
} from '../ai/ai.ts';
import { forwardingLines, replacedForwarding } from '../http/forwarded.ts';
import { HOP_BY_HOP, KNOWN } from '../http/known.ts';
import { GatehouseError } from '../kernel/error.ts';
import { LENGTH_NONE } from '../kernel/exchange.ts';
import { CREDENTIAL } from '../policy/access/access.ts';
import { leavesOut } from '../route/route.ts';
import { grpcTimeout, isGrpc } from './grpc.ts';
import { holdBody } from './hold.ts';
import { hashKey } from './keys.ts';
import { tellBound } from './limit.ts';
import { ANSWERED, type Passage, type Step } from './passage.ts';
import { ALLOW } from './reasons.ts';

/** Fields written anew for the next hop, beside the forwarding ones. */
const REPLACED = HOP_BY_HOP | KNOWN.host | KNOWN.expect | KNOWN['x-request-id'];
/** Methods that end here: they would show what is between us and the server (RFC 9110 §9.3.6, §9.3.8). */
export const REFUSED_METHODS: ReadonlySet<string> = new Set(['TRACE', 'CONNECT', 'TRACK']);

/** Names the request and the API it speaks, so that whatever follows can answer in the client's shape. */
export function identify(passage: Passage): Step {
  const { exchange, head, worker } = passage;
  const given = exchange.inbound.peer.trusted ? head.known(KNOWN['x-request-id']) : undefined;
  exchange.id = given !== undefined && /^[\w.:/+=-]{1,128}$/.test(given) ? given : worker.requestId();
  recognized(passage, recognize(head.method, head.path, head), head.path);
  if (isGrpc(head)) {
    exchange.protocol = 'grpc';
    passage.patience = grpcTimeout(head.get('grpc-timeout'));
  }
  return undefined;
}

function recognized(passage: Passage, operation: Operation | undefined, path: string): void {
  if (operation === undefined) return;
  const { exchange } = passage;
  passage.operation = operation;
  passage.apiPath = path;
  exchange.protocol = operation.protocol;
  exchange.operation = operation.name;
}

/**
 * An API may be served below a prefix that the route takes off: then the path that the server gets tells what it is. It gets it
 * as it was spelled, and may read more in it than stands there.
 */
function follow(passage: Passage, found: NonNullable<Passage['route']>): void {
  passage.route = found;
  passage.exchange.route = found.name;
  if (passage.operation !== undefined) return;
  const { head } = passage;
  const sent = found.rewrittenPath(head) ?? head.path;
  const { method } = head;
  // Other methods cost nothing; only lists of models are answered here.
  const spelled = method === 'POST' || found.config.models !== undefined;
  recognized(
    passage,
    recognize(method, sent, head) ?? (spelled ? recognizeSpelled(method, sent, head) : undefined),
    sent,
  );
}

/** Refuses requests that have come through here before (RFC 9110 §7.6.3), and methods that must not travel. */
export function guard(passage: Passage): Step {
  const { head, worker } = passage;
  // Asked of the server as a whole, which for this client is the gateway (RFC 9110 §9.3.7): no route speaks for all of them.
  if (head.target === '*') {
    passage.answerWhole(200, ALLOW, '');
    return ANSWERED;
  }
  if (REFUSED_METHODS.has(head.method))
    return new GatehouseError('method_not_allowed', `${head.method} is not served here`);
  if ((head.seen & KNOWN.via) !== 0 && head.knownList(KNOWN.via).includes(worker.pseudonym)) {
    worker.fault('loop');
    return new GatehouseError(
      'loop_detected',
      'this request has passed here before: the upstream leads back to this gateway',
    );
  }
  if (
    (head.seen & KNOWN['max-forwards']) !== 0 &&
    head.method === 'OPTIONS' &&
    head.known(KNOWN['max-forwards']) === '0'
  ) {
    return new GatehouseError('loop_detected', 'Max-Forwards has reached 0');
  }
  return undefined;
}

const CHALLENGE = '/.well-known/acme-challenge/';

/** Answers a certification authority that asks whether a domain is ours (RFC 8555 §8.3), whatever the routes say. */
export function proveDomain(passage: Passage): Step {
  const { head, worker } = passage;
  if (!worker.tls.answersTokens || !head.path.startsWith(CHALLENGE)) return undefined;
  const answer = worker.tls.answer(head.path.slice(CHALLENGE.length));
  if (answer === undefined || (head.method !== 'GET' && head.method !== 'HEAD')) return undefined;
  passage.answerText('application/octet-stream', answer);
  return ANSWERED;
}

/** Finds the route by host, path, method, fields and query. */
export function route(passage: Passage): Step {
  const { head, snapshot, exchange } = passage;
  const found = snapshot.router.match(head);
  if (found === undefined) return snapshot.router.refusal(head);
  follow(passage, found);
  const limit = found.config.maxBody;
  if (limit !== undefined) {
    exchange.bodyLimit = limit;
    if (exchange.requestLength > limit) {
      return new GatehouseError('body_too_large', `the body is larger than ${limit} bytes (maxBody)`, {
        rule: found.name,
      });
    }
  }
  return undefined;
}

/** Holds and peeks into the body, where the route or the upstream's API asks for it. */
export function peek(passage: Passage): Step {
  const { operation, exchange, head } = passage;
  const found = passage.route as NonNullable<typeof passage.route>;
  const { judgesBody } = passage;
  if (operation === undefined && !found.needsModel && found.config.models === undefined && !judgesBody)
    return undefined;
  const plain = found.config.upstream !== undefined && !found.needsModel && !judgesBody && !passage.counted;
  if (plain && passage.snapshot.upstreams.get(found.config.upstream as string)?.config.protocol === 'http')
    return undefined;
  if (exchange.requestLength === LENGTH_NONE || operation?.hasBody === false) return undefined;
  if (
    (head.seen & KNOWN['content-encoding']) !== 0 &&
    head.known(KNOWN['content-encoding'])?.toLowerCase() !== 'identity'
  ) {
    if (plain) return undefined;
    return new GatehouseError(
      'unsupported_media_type',
      'send the body without Content-Encoding: it must be read here',
      {
        rule: found.name,
      },
    );
  }
  holdBody(passage);
  return ANSWERED;
}

/** Reads what was held: `model`, `stream`, `user`. Runs when the body is complete. */
export function readModel(passage: Passage): Step {
  const { body, exchange, head, snapshot } = passage;
  if (body !== undefined) {
    const found = peekRequest(body);
    if (found instanceof PeekFault) {
      const plain = passage.route?.config.models === undefined && passage.route?.needsModel === false;
      // What the server would read in it nobody could count.
      const counts = passage.counted && passage.operation !== undefined && boundOf(passage.operation) !== undefined;
      if (plain && !passage.judgesBody && !counts) return undefined;
      return new GatehouseError('invalid_body', found.message, found.param === undefined ? {} : { param: found.param });
    }
    passage.peek = found;
    exchange.model = found.model ?? '';
    exchange.stream = found.stream;
  }
  if (passage.route?.needsModel) {
    const chosen = snapshot.router.matchModel(head, exchange.model === '' ? undefined : exchange.model);
    if (chosen === undefined) return snapshot.router.refusal(head);
    follow(passage, chosen);
  }
  return undefined;
}

/** Injects a fault, where one is in force. */
export function chaos(passage: Passage): Step {
  const { chaos: faults } = passage.worker;
  // Who goes over to another version has been here.
  if (faults === undefined || passage.given !== undefined) return undefined;
  const { exchange, head } = passage;
  const fault = faults.draw(exchange.route, head);
  return fault === undefined ? undefined : faults.inject(fault, exchange);
}

/** Composes what is sent upstream. */
export function compose(passage: Passage): Step {
  const { exchange, head, worker, operation } = passage;
  const found = passage.route as NonNullable<typeof passage.route>;
  const { config } = passage.upstream;
  if (passage.spillStep >= 0) passage.given = passage.body;
  passage.target = found.rewriteTarget(head);
  passage.host = found.host ?? (config.host === 'preserve' ? head.authority : config.host);
  passage.upgrade = config.http2 === undefined ? head.upgrade : '';
  passage.hashKey = hashKey(passage.upstream.hashSource, passage);
  passage.reads = operation !== undefined && (config.protocol !== 'http' || passage.meter !== undefined);
  const { peek: seen, body } = passage;
  if (seen !== undefined && body !== undefined) {
    passage.asksUsage = passage.reads && operation?.asksUsage === true && seen.stream && !seen.includeUsage;
    const rename = passage.version?.model;
    if (passage.asksUsage || rename !== undefined) {
      passage.body = rewriteRequest(
        body,
        seen,
        rename === undefined ? { askUsage: passage.asksUsage } : { model: rename, askUsage: passage.asksUsage },
      );
    }
  }
  const { inbound } = exchange;
  tellBound(passage);
  let drop = REPLACED | replacedForwarding(inbound);
  // What proves who calls is for us.
  if (passage.gate?.takesCredential) drop |= CREDENTIAL | KNOWN.dpop;
  // The one transfer coding option that HTTP/2 has, and gRPC asks for (RFC 9113 §8.2.2).
  let lines = config.http2 !== undefined && head.known(KNOWN.te) === 'trailers' ? 'TE: trailers\r\n' : '';
  if (passage.reads) {
    // What is read must not be compressed.
    drop |= KNOWN['accept-encoding'];
    lines += 'Accept-Encoding: identity\r\n';
  }
  const changes = found.requestFields;
  const kept =
    changes === undefined
      ? head.lines(drop)
      : head.linesWhere(drop, (name) => !leavesOut(changes, name)) + changes.lines;
  passage.fields = `${kept}${lines}${forwardingLines(head, inbound, head.authority, worker.pseudonym)}x-request-id: ${exchange.id}\r\n`;
  return undefined;
}

/** Waits, where only the probe of a breaker could find an endpoint, until it is known whether this request may be it. */
export function awaitProbe(passage: Passage): Step {
  return passage.upstream.probeDecision();
}
