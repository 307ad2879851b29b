/**
 * Requests on their way whose caller is known, whether they wait for something or are with a server: when a credential is
 * taken back, or a tenant switched off, what runs by it ends as well.
 */
import type { Clock } from '../kernel/clock.ts';
import type { GatehouseError } from '../kernel/error.ts';
import type { Identity } from '../kernel/identity.ts';
import { type AccessGate, type CompiledAccess, takenBack } from '../policy/access/access.ts';
import type { Permissions } from '../policy/authorize/authorize.ts';
import { flushCorked } from '../socket/cork.ts';

/** How often it is looked whether something was taken back, in milliseconds. */
const LOOK_MS = 200;

/** A request that can be ended. */
interface OpenCall {
  slot: number;
  /** As its credential said, before a plan was added. */
  readonly caller: Identity | undefined;
  readonly gate: AccessGate | undefined;
  readonly exchange: { readonly route: string };
  /** Ends it, wherever it is. */
  cutOff(error: GatehouseError): void;
}

/** Who decides whether a call may go on. */
export interface InForce {
  readonly access: CompiledAccess;
  readonly permissions: Pick<Permissions, 'permitOf'>;
}

/** See the file's head. */
export class OpenCalls {
  readonly #calls: OpenCall[] = [];
  readonly #state: () => readonly [number, InForce];
  #epoch = 0;
  #inForce: InForce | undefined = undefined;
  /** Who decides instead of this snapshot. */
  #instead: readonly [of: InForce, by: InForce] | undefined = undefined;

  /** `state`: what rises when a credential or tenant may have been taken back, and what decides. */
  constructor(clock: Clock, state: () => readonly [number, InForce]) {
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

  /** Has another one decide than the snapshot that is in force now, for as long as it is. */
  judgeBy(by: InForce): void {
    this.#instead = [this.#state()[1], by];
  }

  #look(): void {
    const [epoch, snapshot] = this.#state();
    const [of, by] = this.#instead ?? [];
    const inForce = by !== undefined && of === snapshot ? by : snapshot;
    if (epoch === this.#epoch && inForce === this.#inForce) return;
    this.#epoch = epoch;
    this.#inForce = inForce;
    const ended: [OpenCall, GatehouseError][] = [];
    for (const call of this.#calls) {
      const error = reasonOf(call, inForce);
      if (error !== undefined) ended.push([call, error]);
    }
    for (const [call, error] of ended) call.cutOff(error);
    if (ended.length > 0) flushCorked();
  }
}

/** Why a call may not go on; undefined: it may. */
function reasonOf({ caller, gate, exchange }: OpenCall, { access, permissions }: InForce): GatehouseError | undefined {
  if (caller === undefined) return undefined;
  if (takenBack(access, caller)) return gate?.revoked(exchange.route);
  // What a plan allows counts for the next request; a tenant that is switched off is out.
  const { denial } = permissions.permitOf(caller);
  return denial?.rule === 'tenant/disabled' ? denial.error : undefined;
}
