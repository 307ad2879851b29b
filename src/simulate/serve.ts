/** From a request to its answer: reads the body, finds the operation, applies what was asked for, delivers. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer, Circumstances } from './answer.ts';
import { identity, Refusal } from './answer.ts';
import { control, echoOf, sendJson } from './control.ts';
import { Delivery } from './delivery.ts';
import type { Plan } from './fault.ts';
import { NO_PLAN } from './fault.ts';
import type { Json } from './json.ts';
import { noModel } from './openai/error.ts';
import type { Operation } from './protocol.ts';
import {
  errorBody,
  isAnswer,
  modelsBody,
  noMethod,
  noPath,
  OPERATIONS,
  parseBody,
  rateLimitHeaders,
} from './protocol.ts';
import { playRaw } from './raw.ts';
import type { Job, Simulator } from './simulator.ts';

/** Largest request body: 256 MiB. */
const MOST_BODY_BYTES = 256 << 20;

/** Longest answer: a million tokens. */
const MOST_TOKENS = 1_000_000;

/** What is known about a connection. */
export interface Link {
  requests: number;
  /** A fault was played on it: nobody may use it again. */
  spoilt: boolean;
}

/** One request under way. */
class Call {
  readonly simulator: Simulator;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly link: Link;
  readonly path: string;
  readonly requestId: string;
  readonly operation: Operation | undefined;
  readonly anthropic: boolean;
  readonly serial: number;
  plan: Plan = NO_PLAN;
  /** Header fields of every answer, name after name with its value. */
  headers: string[];

  constructor(simulator: Simulator, request: IncomingMessage, response: ServerResponse, link: Link) {
    this.simulator = simulator;
    this.request = request;
    this.response = response;
    this.link = link;
    this.serial = simulator.serial++;
    const target = request.url ?? '/';
    const query = target.indexOf('?');
    this.path = query < 0 ? target : target.slice(0, query);
    this.operation = OPERATIONS.get(this.path);
    this.anthropic = this.operation?.anthropic ?? request.headers['anthropic-version'] !== undefined;
    const given = request.headers['x-request-id'];
    this.requestId = typeof given === 'string' ? given : identity('req_', this.serial, simulator.seed);
    this.headers = ['x-request-id', this.requestId];
    if (this.anthropic) this.headers.push('request-id', this.requestId);
  }

  /** Takes the request up to the point where its body is there. */
  run(): void {
    const modelled = this.operation !== undefined || this.path.startsWith('/v1/models');
    const wish = this.request.headers['x-simulate'];
    try {
      if (modelled || wish !== undefined)
        this.plan = this.simulator.planFor(typeof wish === 'string' ? wish : undefined);
    } catch (error) {
      const message = `x-simulate: ${error instanceof Error ? error.message : String(error)}`;
      sendJson(
        this.response,
        400,
        { error: { message, type: 'simulate', param: 'x-simulate', code: null } },
        this.headers,
      );
      return;
    }
    for (const name of this.plan.values.keys()) this.simulator.play(name);
    if (this.plan.has('no-read')) return;
    if (this.plan.has('early')) {
      const model = this.simulator.models[0];
      const messages = [{ role: 'user', content: 'early' }];
      this.answer(Buffer.from(JSON.stringify({ model, messages, prompt: '', input: '', max_tokens: 1024 })));
      return;
    }
    this.#read();
  }

  #read(): void {
    const { request } = this;
    const parts: Buffer[] = [];
    let size = 0;
    request.on('data', (part: Buffer) => {
      size += part.length;
      if (size <= MOST_BODY_BYTES) parts.push(part);
    });
    request.on('end', () => {
      if (size <= MOST_BODY_BYTES) this.answer(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts));
      else this.#error(413);
    });
    request.on('error', () => {});
  }

  /** Answers, the body being there. */
  answer(body: Buffer): void {
    const { plan, headers, simulator } = this;
    if (plan.has('connection-close')) headers.push('connection', 'close');
    if (plan.has('retry-after')) headers.push('retry-after', plan.values.get('retry-after') ?? '1');
    if (plan.has('ratelimit'))
      headers.push(...rateLimitHeaders(this.anthropic, plan.number('ratelimit', 0), Date.now()));
    if (plan.has('status')) {
      this.#error(plan.number('status', 500));
    } else if (this.request.headers['x-simulate-echo'] !== undefined || this.path === '/simulate/echo') {
      this.#plain(200, echoOf(this.request, body, this.link.requests));
    } else if (this.operation) {
      this.#operate(this.operation, body);
    } else if (this.path === '/v1/models' || this.path.startsWith('/v1/models/')) {
      const id = this.path.length > 11 ? decode(this.path.slice(11)) : undefined;
      const found = modelsBody(simulator.models, id, this.anthropic);
      if (found) this.#plain(200, found);
      else this.#plain(404, this.anthropic ? errorBody(true, 404, this.requestId) : noModel(id ?? '').body);
    } else if (plan.raw) {
      this.#plain(200, { path: this.path });
    } else if (!control(simulator, this.request, this.path, body, this.response)) {
      const refusal = noPath(this.request.method ?? '', this.path, this.requestId);
      this.#plain(refusal.status, refusal.body);
    }
  }

  #operate(operation: Operation, body: Buffer): void {
    const { plan } = this;
    const found = this.#ask(operation, body);
    if (found instanceof Refusal) {
      this.#plain(found.status, found.body);
    } else if (!isAnswer(found)) {
      this.#plain(200, found);
    } else if (plan.raw) {
      this.#raw(found.stream ? 'text/event-stream' : 'application/json', wholeText(found));
    } else {
      new Engagement(this, found);
    }
  }

  #ask(operation: Operation, body: Buffer): Answer | Json | Refusal {
    const { simulator, plan } = this;
    if (this.request.method !== 'POST') return noMethod(this.request.method ?? '', operation, this.requestId);
    const parsed = parseBody(body.toString('utf8'), operation, this.requestId);
    if (parsed instanceof Refusal) return parsed;
    const about: Circumstances = {
      seed: simulator.seed,
      createdSeconds: Math.floor(Date.now() / 1000),
      serial: this.serial,
      tokens: Math.min(plan.number('tokens', simulator.tokens), MOST_TOKENS),
      cachedTokens: plan.number('cached', 0),
      reasoningTokens: plan.number('reasoning', 0),
      serves: (model) => simulator.anyModel || simulator.models.includes(model),
    };
    try {
      return operation.answer(parsed, about, this.requestId);
    } catch (error) {
      // Such as JSON nested so deeply that walking it overflows the stack.
      const message = error instanceof Error ? error.message : String(error);
      return new Refusal(500, { error: { message, type: 'server_error', param: null, code: null } });
    }
  }

  #error(status: number): void {
    this.#plain(status, errorBody(this.anthropic, status, this.requestId));
  }

  #plain(status: number, body: object): void {
    if (this.plan.raw) this.#raw('application/json', JSON.stringify(body));
    else if (status === 204 || status === 304) this.response.writeHead(status, this.headers).end();
    else sendJson(this.response, status, body, this.headers);
  }

  #raw(type: string, text: string): void {
    const socket = this.response.socket;
    const fault = this.plan.raw;
    if (!socket || !fault) return;
    this.link.spoilt = true;
    playRaw(socket as Socket, fault, { type, text: Buffer.from(text).toString('latin1') }, this.simulator.wheel);
  }
}

/** One paced answer: waits for its place, is delivered, is counted. */
class Engagement implements Job {
  readonly #call: Call;
  readonly #answer: Answer;
  readonly #since = performance.now();

  constructor(call: Call, answer: Answer) {
    this.#call = call;
    this.#answer = answer;
    call.simulator.model(answer.model).waiting++;
    call.response.once('close', () => {
      if (!call.simulator.withdraw(this)) return;
      call.simulator.model(answer.model).waiting--;
      call.simulator.cancel(answer.model, call.path, 0);
    });
    call.simulator.admit(this);
  }

  begin(): void {
    const { simulator, response, plan, headers, path } = this.#call;
    const answer = this.#answer;
    const model = simulator.model(answer.model);
    model.waiting--;
    model.running++;
    model.queueTime.observe((performance.now() - this.#since) / 1000);
    model.promptTokens += answer.promptTokens;
    model.cachedTokens += plan.number('cached', 0);
    model.heldTokens += answer.promptTokens;
    const { wheel, ttftMs, rate } = simulator;
    new Delivery({
      ...{ response, answer, plan, model, wheel, headers, ttftMs, rate },
      ended: (how, tokens) => {
        model.running--;
        model.heldTokens -= answer.promptTokens + tokens;
        model.latency.observe((performance.now() - this.#since) / 1000);
        if (how === 'gone') simulator.cancel(answer.model, path, tokens);
        else if (how !== 'fault') simulator.completed++;
        model.ended[how === 'gone' ? 'abort' : how === 'fault' ? 'error' : how]++;
        simulator.release();
      },
    }).start();
  }
}

function wholeText(answer: Answer): string {
  if (!answer.stream) return answer.whole();
  let text = answer.opening();
  for (let i = 0; i < answer.steps; i++) text += answer.step(i);
  return text + answer.closing();
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Answers one request. */
export function serve(simulator: Simulator, request: IncomingMessage, response: ServerResponse, link: Link): void {
  simulator.requests++;
  link.requests++;
  if (link.spoilt) {
    simulator.reusedAfterFault++;
    request.socket.destroy();
    return;
  }
  new Call(simulator, request, response, link).run();
}
