/**
 * Going over to another version of a model (`spillover`): where no server of the first one can be used, where one has failed and
 * nothing is lost by sending the request again, and where another has a place earlier. Once for each request.
 */
import type { ErrorCode, GatehouseError } from '../kernel/error.ts';
import type { SpilledEvent } from '../kernel/event.ts';
import type { CompiledVersion } from '../route/model.ts';
import { speaksAgainstServer, type Upstream } from '../upstream/upstream.ts';
import type { Passage, Step } from './passage.ts';

/** Another version, with the upstream that serves it. */
export interface Elsewhere {
  readonly version: CompiledVersion;
  readonly upstream: Upstream;
  /** How long to wait in the first queue alone, in milliseconds. */
  readonly after: number;
}

/** Where a request may go over to; undefined: nowhere, or no server can be used there either. */
export function elsewhere(passage: Passage): Elsewhere | undefined {
  const { version, worker, snapshot } = passage;
  const spillover = version?.spillover;
  if (spillover === undefined || passage.spillStep < 0) return undefined;
  // A newer configuration may have taken the servers over.
  const name = spillover.to.upstream;
  const upstream = worker.snapshot.upstreams.get(name) ?? snapshot.upstreams.get(name);
  if (upstream === undefined || upstream.down) return undefined;
  return { version: spillover.to, upstream, after: spillover.after };
}

/** Goes over: the stages from here on are to run again. */
export function goOver(passage: Passage, { version, upstream }: Elsewhere, reason: SpilledEvent['reason']): void {
  const { exchange, worker } = passage;
  worker.events.emit('spilled', { model: exchange.model, from: exchange.version, to: version.name, reason });
  passage.version = version;
  exchange.version = version.name;
  passage.destination = upstream;
  passage.step = passage.spillStep;
  passage.spillStep = -1;
  if (passage.given !== undefined) passage.body = passage.given;
}

/** Right after the version was chosen: another one, where no server of this one can be used. */
export function spillAtOnce(passage: Passage): Step {
  if (passage.version?.spillover === undefined) return undefined;
  passage.spillStep = passage.step;
  if (!passage.upstream.down) return undefined;
  const other = elsewhere(passage);
  if (other !== undefined) goOver(passage, other, 'unavailable');
  return undefined;
}

/** After a failure that nobody has been told of: goes over where that helps. The passage is to be run then. */
export function mayMove(passage: Passage, error: GatehouseError): boolean {
  const { exchange, upstream, worker } = passage;
  // Any other failure would be the same anywhere.
  if (error.code !== 'no_endpoint' && !isFull(error.code) && !speaksAgainstServer(error.code)) return false;
  if (exchange.outcome !== 'open' || passage.given === undefined) return false;
  const patience = Math.min(upstream.config.timeouts.total, passage.patience);
  const left = patience - (worker.clock.now() - exchange.forwardedAt);
  if (left <= 0) return false;
  const other = elsewhere(passage);
  if (other === undefined) return false;
  passage.patience = left;
  const { code } = error;
  goOver(passage, other, code === 'no_endpoint' ? 'unavailable' : isFull(code) ? 'full' : 'failed');
  return true;
}

const isFull = (code: ErrorCode) => code === 'queue_full' || code === 'queue_timeout' || code === 'overloaded';
