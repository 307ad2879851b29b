/** The metrics of connections from clients; part of the catalog. */
import type { MetricDefinition } from './definition.ts';

/** Counted by each worker. */
export const CONNECTION_METRICS: Record<
  'connections' | 'connectionsOpen' | 'handshakes' | 'http2Connections' | 'http2Streams',
  MetricDefinition
> = {
  connections: {
    kind: 'counter',
    name: 'gatehouse_connections_total',
    labels: ['listener'],
    help: 'Connections accepted.',
  },
  connectionsOpen: {
    kind: 'gauge',
    name: 'gatehouse_connections_open',
    labels: ['listener'],
    help: 'Connections open now.',
  },
  handshakes: {
    kind: 'counter',
    name: 'gatehouse_tls_handshakes_total',
    labels: ['listener', 'version', 'resumed'],
    help: 'TLS handshakes completed, by version and by whether a ticket spared the client a full one (`resumed` is yes or no). What fails counts as a fault.',
  },
  http2Connections: {
    kind: 'gauge',
    name: 'gatehouse_http2_connections_open',
    labels: ['listener'],
    help: 'Of the connections open now, those that speak HTTP/2.',
  },
  http2Streams: {
    kind: 'gauge',
    name: 'gatehouse_http2_streams_open',
    labels: ['listener'],
    help: 'Of the requests in flight, those that came by HTTP/2: one for each stream.',
  },
};
