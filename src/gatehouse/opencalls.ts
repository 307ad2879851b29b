/** Requests on their way whose caller is known: when a credential is taken back, what runs by it ends as well. */
import type { Clock } from '../kernel/clock.ts';
import { GatehouseError } from '../kernel/error.ts';
import type { Identity } from '../kernel/identity.ts';
import { type CompiledAccess, takenBack } from '../policy/access/access.ts';
import { flushCorked } from '../socket/cork.ts';

/** How often it is looked whether something was taken back, in milliseconds. */
const LOOK_MS = 200;

/** A request that can be cut. */
interface OpenCall {
  slot: number;
  readonly exchange: { readonly identity: Identity | undefined };
  readonly forwarding: { cut(error: GatehouseError): void } | undefined;
}

/** See the file's head. */
export class OpenCalls {
  readonly #calls: OpenCall[] = [];
  readonly #state: () => readonly [number, CompiledAccess];
  #epoch = 0;
  #access: CompiledAccess | undefined = undefined;

  /** `state`: what rises when a credential may have been taken back, and the methods in force. */
  constructor(clock: Clock, state: () => readonly [number, CompiledAccess]) {
    this.#state = state;
    clock.every(LOOK_MS, () => this.#look());
  }

  add(call: OpenCall): void {
    call.slot = this.#calls.push(call) - 1;
  }

  remove(call: OpenCall): void {
    const last = this.#calls.pop() as OpenCall;
    if (last !== call) {
      this.#calls[call.slot] = last;
      last.slot = call.slot;
    }
    call.slot = -1;
  }

  #look(): void {
    const [epoch, access] = this.#state();
    if (epoch === this.#epoch && access === this.#access) return;
    this.#epoch = epoch;
    this.#access = access;
    const ended = this.#calls.filter(({ exchange: { identity } }) => identity && takenBack(access, identity));
    for (const call of ended) {
      call.forwarding?.cut(new GatehouseError('unauthorized', 'The credential of this request has been revoked.'));
    }
    if (ended.length > 0) flushCorked();
  }
}
