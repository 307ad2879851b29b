/** What the end of a try says about its endpoint. */
import type { ErrorCode } from '../kernel/error.ts';
import type { Endpoint } from './endpoint.ts';
import { speaksAgainstServer } from './replay.ts';

/**
 * The try has failed; `probe`: it was the one probe of the endpoint's breaker; `reused`: it was sent on a kept connection,
 * which the server may have closed meanwhile: that says nothing about its health.
 */
export function tryFailed(
  endpoint: Endpoint,
  code: ErrorCode,
  startedAt: number,
  probe: boolean,
  reused: boolean,
): void {
  if (probe) endpoint.standing.probed(false, `the probe failed: ${code}`);
  if (speaksAgainstServer(code) && !(reused && code === 'upstream_reset')) endpoint.failed(code, startedAt);
}

/** The try is over without a word about the server: the client has left, or another rule has refused it. */
export function tryGivenUp(endpoint: Endpoint, probe: boolean): void {
  if (probe) endpoint.standing.probed(false, 'the probe was given up before it was answered');
}
