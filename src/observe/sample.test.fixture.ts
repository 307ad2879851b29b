/** Exchanges made up for the tests of this room. */
import { Exchange, type Inbound, LENGTH_NONE, type RequestHead } from '../kernel/exchange.ts';

const nothing = () => {};

/** What a made-up exchange may be given. */
export interface Sample {
  fields?: Record<string, string>;
  head?: Partial<RequestHead>;
  inbound?: Partial<Inbound>;
  exchange?: Partial<Omit<Exchange, 'inbound' | 'head' | 'requestLength'>>;
}

/** A completed chat stream that took 1.5 s, with what `sample` says changed. */
export function sampleExchange(sample: Sample = {}): Exchange {
  const fields = new Map(Object.entries({ 'user-agent': 'openai-node/6.49', ...sample.fields }));
  const head: RequestHead = {
    method: 'POST',
    target: '/v1/chat/completions?api-version=1',
    path: '/v1/chat/completions',
    query: 'api-version=1',
    authority: 'api.example.com',
    host: 'api.example.com',
    minor: 1,
    get: (name) => fields.get(name),
    count: (name) => (fields.has(name) ? 1 : 0),
    each: (visit) => {
      for (const [name, value] of fields) visit(name, value);
    },
    ...sample.head,
  };
  const inbound: Inbound = {
    clientAddress: '192.0.2.7',
    peer: { address: '192.0.2.7', port: 40123, trusted: false },
    listener: 'public',
    scheme: 'https',
    httpVersion: '2',
    start: nothing,
    pause: nothing,
    resume: nothing,
    interim: nothing,
    head: nothing,
    write: () => true,
    end: nothing,
    closeAfter: nothing,
    abort: nothing,
    ...sample.inbound,
  };
  return Object.assign(new Exchange(inbound, head, LENGTH_NONE), {
    id: '01J9Z3V5K8Q2',
    protocol: 'openai',
    operation: 'chat',
    route: 'inference',
    model: 'deepseek-chat',
    version: 'stable',
    upstream: 'deepseek',
    endpoint: '10.0.0.1:8000',
    stream: true,
    status: 200,
    outcome: 'completed',
    tries: 1,
    requestBytes: 900,
    responseBytes: 4096,
    usage: { inputTokens: 100, outputTokens: 51, cachedInputTokens: 20, reasoningTokens: 5 },
    usageSource: 'counted',
    startedAt: 1000,
    forwardedAt: 1001.25,
    firstByteAt: 1200,
    firstTokenAt: 1500,
    endedAt: 2500,
    ...sample.exchange,
  } satisfies Partial<Exchange>);
}
