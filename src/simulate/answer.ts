/** The face between protocols, which know shapes, and the server, which knows time and sockets. */
import type { Json } from './json.ts';

/** One answer, whole or step by step. Steps are paced: one step, one token (of each choice). */
export interface Answer {
  readonly model: string;
  /** True when the client asked for server-sent events. */
  readonly stream: boolean;
  readonly promptTokens: number;
  /** Number of steps. */
  readonly steps: number;
  /** True when the limit of the request cut it. */
  readonly cut: boolean;
  /** Tokens generated once `steps` have been taken. */
  generated(steps: number): number;
  /** The body of an answer that is not streamed. */
  whole(): string;
  /** Events that come before the first token. */
  opening(): string;
  /** Events of one step, counted from 0. */
  step(index: number): string;
  /** Events after the last token. */
  closing(): string;
  /** The event that reports a failure in mid-stream. */
  failure(): string;
}

/** What a protocol is told about this exchange. */
export interface Circumstances {
  /** Seed of the words. */
  seed: number;
  /** Wall-clock seconds for `created` fields. */
  createdSeconds: number;
  /** Unique within the process; becomes part of every id. */
  serial: number;
  /** Wished length in tokens. */
  tokens: number;
  /** Prompt tokens to report as read from a cache. */
  cachedTokens: number;
  /** Output tokens to report as reasoning. */
  reasoningTokens: number;
  /** True when this model is served here. */
  serves(model: string): boolean;
}

/** A refusal in the words of the protocol. */
export class Refusal {
  readonly status: number;
  readonly body: Json;

  constructor(status: number, body: Json) {
    this.status = status;
    this.body = body;
  }
}

/** Something that looks like the services' ids: letters and digits, the same for the same numbers. */
export function identity(prefix: string, serial: number, seed: number, length = 24): string {
  let id = '';
  let x = Math.imul(serial + 1, 0x9e3779b1) ^ seed;
  while (id.length < length) {
    x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) + 0x6d2b79f5;
    id += (x >>> 0).toString(36);
  }
  return prefix + id.slice(0, length);
}
