/**
 * A stand-in for a model server: the OpenAI and Anthropic APIs with words that depend only on seed and prompt, at a set
 * pace, and with every fault a wire can have. In process for tests; `gatehouse simulate` on the command line.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { FAULTS } from './faults/faults.ts';
import { realtime } from './realtime.ts';
import type { Link } from './serve.ts';
import { serve } from './serve.ts';
import type { SimulatorOptions } from './simulator.ts';
import { Simulator } from './simulator.ts';
import type { SimulatorState } from './state.ts';

export type { SimulatorOptions, SimulatorState };
export { FAULTS };

/** A simulator that listens. */
export interface RunningSimulator {
  /** `http://HOST:PORT` (or `https://`), without a path; `unix:PATH` on a unix socket. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** The counters, as `GET /simulate/state` shows them. */
  state(): SimulatorState;
  /** Replaces the faults, as `POST /simulate/fail` does; throws an Error for one that cannot be understood. */
  fail(...rules: string[]): void;
  /** Sets what `/health` answers. */
  setHealth(status: number): void;
  /** Stops listening and cuts every connection. */
  close(): Promise<void>;
}

/** Starts a simulator; rejects when a fault cannot be understood or the address cannot be bound. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<RunningSimulator> {
  const simulator = new Simulator(options, FAULTS);
  const links = new WeakMap<Socket, Link>();
  const sockets = new Set<Socket>();
  const limits = { maxHeaderSize: 256 * 1024, requestTimeout: 0, headersTimeout: 0 };
  const server = options.tls ? createTlsServer({ ...options.tls, ...limits }) : createServer(limits);
  server.keepAliveTimeout = simulator.keepAliveMs;
  server.on(options.tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    links.set(socket, { requests: 0, spoilt: false });
    sockets.add(socket);
    simulator.connections++;
    simulator.connectionsTotal++;
    socket.on('close', () => {
      sockets.delete(socket);
      simulator.connections--;
    });
  });
  const answer = (request: IncomingMessage, response: ServerResponse): void =>
    serve(simulator, request, response, links.get(request.socket) ?? { requests: 0, spoilt: false });
  server.on('request', answer);
  server.on('checkContinue', (request, response) => {
    // Who answers early, or never, does not invite the body first.
    if (!/early|no-read/.test(String(request.headers['x-simulate']))) response.writeContinue();
    answer(request, response);
  });
  server.on('upgrade', (request, socket, early) => {
    simulator.requests++;
    realtime(request, socket, early);
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    const bound = (): void => {
      server.off('error', reject);
      resolve();
    };
    if (options.socketPath) server.listen(options.socketPath, bound);
    else server.listen(options.port ?? 0, host, bound);
  });
  const port = options.socketPath ? 0 : (server.address() as AddressInfo).port;
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    url: options.socketPath ? `unix:${options.socketPath}` : `${options.tls ? 'https' : 'http'}://${authority}`,
    host,
    port,
    state: () => simulator.state(),
    fail: (...rules) => simulator.setRules(rules),
    setHealth: (status) => {
      simulator.healthStatus = status;
    },
    close: () =>
      new Promise((resolve) => {
        simulator.wheel.clear();
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
