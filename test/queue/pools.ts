/** Two pools of model servers behind a gateway, for tests of classes and spill-over. */
import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type Gateway, startGateway } from '../gateway.ts';

/** Waits for a condition. @throws when it never comes. */
export const until = async (what: () => boolean | Promise<boolean>, name: string) => {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; await pause(20))
    if (await what()) return;
  assert.fail(`never: ${name}`);
};

/** A model server that answers at once, or holds what it gets until it is told; healthy until it is told otherwise. */
export async function startPool(t: TestContext, name: string) {
  const pool = { url: '', port: 0, holds: false, healthy: true, held: [] as ServerResponse[], bodies: [] as string[] };
  const answer = (response: ServerResponse) => {
    response.setHeader('content-type', 'application/json');
    const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
    response.end(JSON.stringify({ id: name, choices: [{ message: { content: name } }], usage }));
  };
  const server = createServer((request, response) => {
    if (request.url === '/health') {
      response.writeHead(pool.healthy ? 200 : 503).end();
      return;
    }
    let body = '';
    request.on('data', (piece) => {
      body += piece;
    });
    request.on('end', () => {
      pool.bodies.push(body);
      if (pool.holds) pool.held.push(response);
      else answer(response);
    });
  });
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  t.after(close);
  pool.port = (server.address() as AddressInfo).port;
  pool.url = `http://127.0.0.1:${pool.port}`;
  const release = () => {
    const one = pool.held.shift();
    if (one !== undefined) answer(one);
  };
  return { pool, release, close };
}

/** A model server. */
export type Pool = Awaited<ReturnType<typeof startPool>>['pool'];

const HEALTH = { path: '/health', interval: '150ms', timeout: '60s', unhealthyAfter: 1, healthyAfter: 1 };

/** A gateway over a pool of one's own and one that may be taken away. */
export async function gatewayOver(
  t: TestContext,
  own: Pool,
  spot: Pool,
  more: { spot?: object; own?: object; top?: object } = {},
) {
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    log: { access: 'stdout' },
    upstreams: {
      own: { protocol: 'openai', endpoints: [{ url: own.url, maxConcurrency: 2 }] },
      spot: { protocol: 'openai', endpoints: [{ url: spot.url, maxConcurrency: 1 }], health: HEALTH },
    },
    models: {
      chat: {
        versions: [
          { name: 'own', upstream: 'own', classes: ['realtime'], ...more.own },
          { name: 'spot', upstream: 'spot', model: 'chat-int8', classes: ['batch', 'test'], ...more.spot },
        ],
      },
    },
    routes: [
      { name: 'chat', match: { path: '/v1/*' }, models: ['chat'], priority: 'realtime', priorityHeader: 'X-Priority' },
    ],
    ...more.top,
  });
  t.after(() => gateway.stop());
  return gateway;
}

/** One chat request, and who has answered it. */
export async function ask(gateway: Gateway, priority?: string, more: Record<string, string> = {}) {
  const headers = { 'content-type': 'application/json', ...(priority && { 'x-priority': priority }), ...more };
  const body = JSON.stringify({ model: 'chat', messages: [{ role: 'user', content: 'hello' }] });
  const response = await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers, body });
  const text = await response.text();
  return { status: response.status, by: response.ok ? (JSON.parse(text) as { id: string }).id : text };
}

/** Lines of requests that found a route. */
export const linesOf = (gateway: Gateway) => gateway.accessLog().filter(({ route }) => route !== undefined);
