/** What is written in the heads of both sides: the request as the server gets it, and the answer as the client gets it. */
import { HOP_BY_HOP, KNOWN } from '../http/known.ts';
import type { Response } from '../http/response.ts';
import { type BodyLength, LENGTH_CHUNKED, LENGTH_NONE } from '../kernel/exchange.ts';
import type { ForwardPlan } from './plan.ts';

const NOT_COPIED = HOP_BY_HOP | KNOWN['x-request-id'];

/** The head of a request, complete with its empty line. `authority`: the endpoint's own Host field. */
export function requestHead(plan: ForwardPlan, method: string, authority: string, length: BodyLength): string {
  const host = plan.host === 'endpoint' ? authority : plan.host;
  const text = `${method} ${plan.target} HTTP/1.1\r\nHost: ${host}\r\n${plan.fields}`;
  if (length >= 0) return `${text}Content-Length: ${length}\r\n\r\n`;
  if (length === LENGTH_CHUNKED) return `${text}Transfer-Encoding: chunked\r\n\r\n`;
  if (plan.upgrade !== '') return `${text}Connection: Upgrade\r\nUpgrade: ${plan.upgrade}\r\n\r\n`;
  return `${text}\r\n`;
}

/** Field lines of an answer for the client, with the request's id; without framing, unless the answer has no body. */
export function answerFields(plan: ForwardPlan, id: string, response: Response, length: BodyLength): string {
  const drop = response.known(KNOWN['x-request-id']) === undefined ? NOT_COPIED : HOP_BY_HOP;
  let lines = plan.responseFields(response, drop);
  if (drop === NOT_COPIED) lines += `x-request-id: ${id}\r\n`;
  // HEAD and 304 say how long the body would be (RFC 9110 §8.6).
  if (length === LENGTH_NONE && response.contentLength >= 0 && response.status !== 204) {
    lines += `Content-Length: ${response.contentLength}\r\n`;
  }
  return lines;
}

/** Whether an answer is an event stream that we may write into: neither compressed nor of a length known before. */
export function isOpenStream(response: Response, outgoing: BodyLength): boolean {
  if (outgoing >= 0 || outgoing === LENGTH_NONE || (response.seen & KNOWN['content-encoding']) !== 0) return false;
  return response.known(KNOWN['content-type'])?.toLowerCase().startsWith('text/event-stream') === true;
}
