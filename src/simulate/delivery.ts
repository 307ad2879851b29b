/** Brings one answer to its client, in its time: whole, or event by event, up to the end or up to the fault asked for. */
import type { ServerResponse } from 'node:http';
import type { Answer } from './answer.ts';
import type { Plan } from './fault.ts';
import { chunked, styleEvents } from './frame.ts';
import { reset } from './raw.ts';
import type { ModelState } from './state.ts';
import { Due, type Wheel } from './wheel.ts';

/** Most tokens in one write, when they come as fast as possible or a slow reader has let them pile up. */
const TOKENS_PER_WRITE = 256;
/** Between the last bytes and a break, so that the other side sees both. */
const BREAK_AFTER_MS = 10;

/** How a delivery ended. `gone`: the client left. `fault`: broken off, or silent, as asked. */
export type Ending = 'stop' | 'length' | 'gone' | 'fault';

/** What a delivery is made of. */
export interface DeliveryParts {
  response: ServerResponse;
  answer: Answer;
  plan: Plan;
  model: ModelState;
  wheel: Wheel;
  headers: string[];
  /** Milliseconds to the first token. */
  ttftMs: number;
  /** Tokens a second; 0: as fast as possible. */
  rate: number;
  /** Called once, with the tokens generated. */
  ended(how: Ending, tokens: number): void;
}

/** One answer on its way. */
export class Delivery extends Due {
  readonly #p: DeliveryParts;
  readonly #startedAt = performance.now();
  readonly #firstAt: number;
  readonly #style: string;
  readonly #split: number;
  /** Step at which something breaks; beyond the last when nothing does. */
  readonly #breakAt: number;
  readonly #breaks: string;
  #sent = 0;
  #tokens = 0;
  #opened = false;
  /** Of an answer that is not streamed, once its head is sent. */
  #body = '';
  #broken = false;
  #over = false;
  #lastTokenAt = 0;

  constructor(parts: DeliveryParts) {
    super();
    this.#p = parts;
    const plan = parts.plan;
    const wait = plan.has('slow-start') ? plan.number('slow-start', 0) : plan.number('ttft', parts.ttftMs);
    this.#firstAt = this.#startedAt + wait;
    this.#style = plan.values.get('sse') ?? '';
    this.#split = plan.number('split', 0);
    const breaks = ['reset-mid-stream', 'fin-mid-stream', 'error-mid-stream', 'stall'].find((name) => plan.has(name));
    this.#breaks = breaks ?? '';
    this.#breakAt = breaks ? Math.min(plan.number(breaks, 0), parts.answer.steps) : Number.POSITIVE_INFINITY;
    parts.response.on('close', () => {
      if (!this.#over) this.#gone();
    });
  }

  /** Begins. With no time to first token, the first bytes leave before this returns. */
  start(): void {
    const { response, plan, answer, wheel } = this.#p;
    if (plan.values.get('stall') === 'head') return;
    if (plan.has('slow-start')) {
      if (answer.stream) this.#head();
      else this.#wholeHead();
      response.flushHeaders();
    }
    const at = answer.stream ? this.#firstAt : this.#firstAt + this.#offset(answer.steps);
    if (at <= performance.now()) this.fire(performance.now());
    else wheel.add(this, at);
  }

  override fire(nowMs: number): void {
    if (this.#over) return;
    if (this.#broken) this.#break();
    else if (this.#p.answer.stream) this.#stream(nowMs);
    else this.#whole(nowMs);
  }

  #offset(steps: number): number {
    const rate = this.#p.plan.number('rate', this.#p.rate);
    return rate > 0 ? (steps * 1000) / rate : 0;
  }

  #head(): void {
    this.#opened = true;
    this.#p.response.writeHead(200, [
      ...this.#p.headers,
      'content-type',
      'text/event-stream; charset=utf-8',
      'cache-control',
      'no-cache',
    ]);
  }

  #stream(nowMs: number): void {
    const { answer, wheel, response } = this.#p;
    const last = Math.min(answer.steps, this.#breakAt);
    const rate = this.#p.plan.number('rate', this.#p.rate);
    const due = rate > 0 ? Math.floor(((nowMs - this.#firstAt) * rate) / 1000) + 1 : last + 1;
    const first = this.#sent === 0 && this.#lastTokenAt === 0;
    let text = first ? answer.opening() : '';
    const end = Math.min(Math.max(due, this.#sent + 1), last, this.#sent + TOKENS_PER_WRITE);
    const before = this.#sent;
    while (this.#sent < end) text += answer.step(this.#sent++);
    this.#count(before, nowMs, first);
    // With a rate the closing events are a step of their own, as they are with real servers.
    const complete = this.#sent >= last && (due > last || before === last);
    if (complete && this.#breakAt > answer.steps) {
      text += answer.closing();
    } else if (complete && this.#breaks === 'error-mid-stream') {
      text += answer.failure();
    }
    const style = this.#style;
    const drained = this.#write(style === '' ? text : styleEvents(text, style, first));
    if (!complete) {
      if (drained) wheel.add(this, rate > 0 ? this.#firstAt + this.#offset(this.#sent) : nowMs);
      else response.once('drain', () => wheel.add(this, performance.now()));
    } else if (this.#breakAt > answer.steps || this.#breaks === 'error-mid-stream') {
      this.#finish();
    } else {
      this.#breakSoon();
    }
  }

  #count(before: number, nowMs: number, first: boolean): void {
    const { answer, model } = this.#p;
    const tokens = answer.generated(this.#sent) - (before === 0 ? 0 : answer.generated(before));
    this.#tokens += tokens;
    model.generationTokens += tokens;
    model.heldTokens += tokens;
    if (first) model.ttft.observe((nowMs - this.#startedAt) / 1000);
    else if (tokens > 0) model.perToken.observe((nowMs - this.#lastTokenAt) / 1000);
    this.#lastTokenAt = nowMs;
  }

  /** Writes event bytes; false: wait for `drain` of the response. */
  #write(text: string): boolean {
    const { response } = this.#p;
    const fresh = !this.#opened;
    if (fresh) this.#head();
    if (text === '') return true;
    const socket = response.socket;
    // The head and the first bytes go out together through the response; the rest straight to the socket in one
    // write, past the response's own bookkeeping. A response that waits its turn in a pipeline has no socket yet.
    if (fresh || !socket || !response.chunkedEncoding) {
      if (this.#split <= 0) return response.write(text);
      const bytes = Buffer.from(text);
      let drained = true;
      for (let at = 0; at < bytes.length; at += this.#split) {
        drained = response.write(bytes.subarray(at, at + this.#split));
      }
      return drained;
    }
    if (socket.write(chunked(text, this.#split))) return true;
    socket.once('drain', () => response.emit('drain'));
    return false;
  }

  #wholeHead(): void {
    const { answer, response, headers } = this.#p;
    this.#opened = true;
    this.#body = answer.whole();
    const length = `${Buffer.byteLength(this.#body)}`;
    response.writeHead(200, [...headers, 'content-type', 'application/json', 'content-length', length]);
  }

  #whole(nowMs: number): void {
    const { answer, response } = this.#p;
    const breaks = this.#breaks !== '' && this.#breaks !== 'error-mid-stream';
    this.#sent = breaks ? Math.ceil(answer.steps / 2) : answer.steps;
    this.#count(0, nowMs, true);
    if (!this.#opened) this.#wholeHead();
    const body = this.#body;
    if (!breaks) {
      response.end(body);
      this.#finish();
      return;
    }
    const bytes = Buffer.from(body);
    response.write(bytes.subarray(0, Math.ceil(bytes.length / 2)));
    this.#breakSoon();
  }

  #breakSoon(): void {
    this.#broken = true;
    if (this.#breaks !== 'stall') this.#p.wheel.add(this, performance.now() + BREAK_AFTER_MS);
  }

  #break(): void {
    const socket = this.#p.response.socket;
    this.#end('fault');
    if (!socket) return;
    if (this.#breaks === 'reset-mid-stream') reset(socket);
    else socket.end();
  }

  /** The client left. An answer that is not streamed was being generated all the same. */
  #gone(): void {
    const { answer, model, plan, rate } = this.#p;
    if (!answer.stream && this.#sent === 0 && plan.values.get('stall') !== 'head') {
      const seconds = Math.max(0, performance.now() - this.#firstAt) / 1000;
      this.#sent = Math.min(answer.steps, Math.floor(seconds * plan.number('rate', rate)));
      this.#tokens = this.#sent === 0 ? 0 : answer.generated(this.#sent);
      model.generationTokens += this.#tokens;
      model.heldTokens += this.#tokens;
    }
    this.#end('gone');
  }

  #finish(): void {
    const { answer, response } = this.#p;
    this.#end(answer.cut ? 'length' : 'stop');
    if (!response.writableEnded) response.end();
  }

  #end(how: Ending): void {
    this.#over = true;
    this.waiting = false;
    this.#p.ended(how, this.#tokens);
  }
}
