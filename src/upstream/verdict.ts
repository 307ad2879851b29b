/** What the end of a try says about its endpoint. */
import type { ErrorCode } from '../kernel/error.ts';
import type { Endpoint } from './endpoint.ts';
import { speaksAgainstServer } from './replay.ts';

/** The try has failed; `probe`: it was the one probe of the endpoint's breaker. */
export function tryFailed(endpoint: Endpoint, code: ErrorCode, startedAt: number, probe: boolean): void {
  if (probe) endpoint.standing.probed(false, `the probe failed: ${code}`);
  if (speaksAgainstServer(code)) endpoint.failed(code, startedAt);
}

/** The try is over without a word about the server: the client has left, or another rule has refused it. */
export function tryGivenUp(endpoint: Endpoint, probe: boolean): void {
  if (probe) endpoint.standing.probed(false, 'the probe was given up before it was answered');
}
