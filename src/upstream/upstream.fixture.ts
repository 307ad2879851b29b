/** Upstreams without servers, for the tests of this room. */
import { ManualClock } from '../kernel/clock.ts';
import { type EndpointEvent, Events } from '../kernel/event.ts';
import { Deadlines } from '../socket/deadlines.ts';
import { upstreamConfig } from './config.ts';
import type { ClientConnection } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import type { Lookup } from './resolve.ts';
import { Upstream } from './upstream.ts';

const noLookup: Lookup = async () => {
  throw new Error('there is no DNS here');
};

/** An upstream of `count` endpoints named e0, e1, … under a clock that stands still, and what it has told. */
export function makeUpstream(count: number, settings: object = {}, lookup = noLookup) {
  const clock = new ManualClock();
  const events = new Events();
  const changes: EndpointEvent[] = [];
  const faults: string[] = [];
  const notices: string[] = [];
  events.on('endpointChanged', (change) => changes.push(change));
  events.on('fault', ({ kind, where }) => faults.push(`${where} ${kind}`));
  events.on('notice', ({ message }) => notices.push(message));
  const endpoints = Array.from({ length: count }, (_, i) => ({ name: `e${i}`, url: `http://10.0.0.${i + 1}:80` }));
  const config = upstreamConfig.parse({ endpoints, ...settings });
  const deadlines = new Deadlines(clock);
  const upstream = new Upstream('up', config, {
    clock,
    events,
    deadlines,
    readText: (path) => `text of ${path}`,
    lookup,
  });
  return { clock, changes, faults, notices, upstream, first: upstream.endpoints[0] as Endpoint };
}

/** A connection as its endpoint sees it; counts how often it was closed. */
export function fakeConnection(endpoint: Endpoint, address = endpoint.target()?.address ?? '') {
  const connection = {
    address,
    idleUntil: 0,
    closed: 0,
    rest(until: number) {
      connection.idleUntil = until;
    },
    close() {
      connection.closed++;
      endpoint.closed(connection as unknown as ClientConnection);
    },
  };
  return connection as typeof connection & ClientConnection;
}
