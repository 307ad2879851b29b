/**
 * The table of faults: name → what is done, with a line of documentation. `gatehouse simulate --list-faults` prints it,
 * tests walk through it. Ask for one with the request header `x-simulate: NAME` or `NAME=VALUE`, with `--fail`, or with
 * `POST /simulate/fail`.
 */
import type { Fault } from '../fault.ts';
import { codingFaults } from './coding.ts';
import { connection } from './connection.ts';
import { headFaults } from './head.ts';
import { lengthFaults } from './length.ts';
import { semanticFaults } from './meaning.ts';
import { settings } from './settings.ts';

/** Every fault, by name. */
export const FAULTS: ReadonlyMap<string, Fault> = new Map(
  [...settings, ...connection, ...lengthFaults, ...codingFaults, ...headFaults, ...semanticFaults].map((fault) => [
    fault.name,
    fault,
  ]),
);
