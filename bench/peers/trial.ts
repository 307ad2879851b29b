/** What a trial (reload, failover, overload) asks of a proxy. */
import { renameSync, writeFileSync } from 'node:fs';
import type { Start } from './start.ts';

/** One trial's set-up at one moment. */
export interface TrialSetup {
  kind: 'reload' | 'failover' | 'overload' | 'queue';
  /** A folder of this run's own. */
  folder: string;
  /** Port on 127.0.0.1 that the proxy listens on. */
  port: number;
  /** Ports on 127.0.0.1 that are free for whatever else the proxy has to open. */
  spare: number[];
  /** Ports of the servers, on 127.0.0.1. A reload moves from the one to the other, so that its effect can be seen. */
  servers: number[];
  /** Number of this configuration; servers see it as the host `turn-N`. */
  turn: number;
  /** Requests that a server works on at once. */
  slots: number;
  /** Who asks, in `queue`. */
  tenants: readonly string[];
}

/** How a proxy takes part in trials. */
export interface TrialPeer {
  /** What is set up, for the reader. */
  about: string;
  /** Writes the configuration (again, for another turn) and says how to start. */
  configure(setup: TrialSetup): Start;
  /** Signal to the started process that makes it read its configuration again. */
  reload: NodeJS.Signals;
}

/** The servers of this turn: all of them, but in `reload` the one and the other in turns. */
export function serversOf({ kind, servers, turn }: TrialSetup): number[] {
  return kind === 'reload' ? servers.filter((_, at) => at === turn % servers.length) : servers;
}

/**
 * Requests that a proxy lets through at once in `overload`: half as many again as a server works on, so that no slot waits
 * for its next request, even where the machine keeps a process waiting for a while.
 */
export const admitted = ({ slots }: TrialSetup): number => Math.ceil(slots * 1.5);

/** How long a request may wait inside a proxy that can let it wait (milliseconds): half of the client's patience. */
export const QUEUE_MS = 1000;

/**
 * How long a request may wait in `queue` (milliseconds): what begins later would not end within the client's patience of two
 * seconds.
 */
export const LAST_CALL_MS = 1700;

/** Writes a file so that nobody ever reads half of it. */
export function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}
