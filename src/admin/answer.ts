/** What the admin API answers: JSON, and problems as RFC 9457 writes them. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';

/** An answer, whole. */
export interface Answer {
  status: number;
  fields: Record<string, string>;
  body: string;
}

/** What is wrong with one part of a document that was sent. */
export interface Fault {
  /** Where, such as `networks[0]`; '' for the whole. */
  path: string;
  message: string;
}

/** A JSON document. */
export function json(status: number, value: unknown, fields: Record<string, string> = {}): Answer {
  const type = { 'Content-Type': 'application/json; charset=utf-8' };
  return { status, fields: { ...type, ...fields }, body: `${JSON.stringify(value, null, 2)}\n` };
}

/** Why something was not done. `code` is for programs, `detail` for people: what is wrong and what to do. */
export function problem(status: number, code: string, detail: string, errors?: readonly Fault[]): Answer {
  const title = STATUS_CODES[status] ?? 'Error';
  const all = errors === undefined ? {} : { errors };
  return json(
    status,
    { type: 'about:blank', title, status, code, detail, ...all },
    { 'Content-Type': 'application/problem+json; charset=utf-8' },
  );
}

/** Sends an answer. */
export function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  const body = Buffer.from(answer.body, 'utf8');
  const { 'Set-Cookie': cookie, ...fields } = answer.fields;
  response.writeHead(answer.status, {
    ...fields,
    ...(cookie === undefined ? {} : { 'Set-Cookie': cookie.split('\n') }),
    ...(answer.status === 204 ? {} : { 'Content-Length': body.length }),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(request.method === 'HEAD' || answer.status === 204 ? undefined : body);
  // A body that nobody asked for is read away, so that the connection can go on.
  request.resume();
}
