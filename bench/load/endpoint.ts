/**
 * One model server of a trial: a process of its own, so that it can be killed. It has a number of slots, each busy with one
 * request for a fixed time, and an endless queue before them, as servers do that know no limit: what is asked beyond its
 * capacity waits. Clients that leave are taken out of the queue, but not out of a slot.
 */
import { createServer, type Socket } from 'node:net';
import { answerBody, DONE_EVENT, EVENT } from './body.ts';
import type { EndpointOrder, EndpointReport } from './channel.ts';
import { MessageReader } from './reader.ts';

const STREAM_HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const FIRST = Buffer.from(STREAM_HEAD + chunk(EVENT));
const NEXT = Buffer.from(chunk(EVENT));
const LAST = Buffer.from(`${chunk(DONE_EVENT)}0\r\n\r\n`);
const ANSWER = answerBody(350);

let rules: Extract<EndpointOrder, { do: 'serve' }> = {
  ...{ do: 'serve', port: 0, slots: 1, serviceMs: 0, events: 2, eventMs: 50, bodyBytes: 0 },
  notes: false,
};
let report: EndpointReport = { served: 0, wasted: 0, turn: 0, begun: [] };
let busy = 0;
const waiting: Job[] = [];

interface Job {
  socket: Socket;
  number: string;
}

function work(job: Job, dueAt: number): void {
  busy++;
  setTimeout(() => finish(job, dueAt), Math.max(0, dueAt - performance.now()));
}

/** One slot is free; whoever is next begins when this one was due, so that late timers do not lower the capacity. */
function finish(job: Job, dueAt: number): void {
  busy--;
  const next = waiting.shift();
  if (next) work(next, Math.max(dueAt, performance.now() - 100) + rules.serviceMs);
  if (job.socket.destroyed) {
    report.wasted++;
    return;
  }
  report.served++;
  const body = ANSWER.replace('chatcmpl-1', `chatcmpl-${job.number}`);
  job.socket.write(
    `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

function stream(socket: Socket): void {
  let left = rules.events - 1;
  report.served++;
  socket.write(FIRST);
  const timer = setInterval(() => {
    if (!socket.destroyed && left-- > 1) socket.write(NEXT);
    else {
      clearInterval(timer);
      if (!socket.destroyed) socket.write(LAST);
    }
  }, rules.eventMs);
}

function respond(socket: Socket, head: string, bodyBytes: number): void {
  const number = /^POST \/v1\/(?:stream|chat\/completions)\?n=(\d+) /.exec(head)?.[1];
  if (number === undefined) {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup'); // a health check
    return;
  }
  report.turn = Math.max(report.turn, Number(/\r\nhost: turn-(\d+)/i.exec(head)?.[1] ?? 0));
  if (bodyBytes !== rules.bodyBytes) {
    socket.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'); // the proxy has lost part of the request
    return;
  }
  if (head.startsWith('POST /v1/stream')) {
    stream(socket);
    return;
  }
  if (rules.notes) report.begun.push([number, performance.timeOrigin + performance.now()]);
  const job = { socket, number };
  if (busy < rules.slots) work(job, performance.now() + rules.serviceMs);
  else waiting.push(job);
}

const server = createServer((socket) => {
  const reader = new MessageReader('request');
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    const at = waiting.findIndex((job) => job.socket === socket);
    if (at >= 0) waiting.splice(at, 1);
  });
  socket.on('data', (bytes: Buffer) => {
    try {
      let at = 0;
      do {
        at += reader.feed(at === 0 ? bytes : bytes.subarray(at));
        if (!reader.done) return;
        const { head, bodyBytes } = reader;
        reader.reset();
        respond(socket, head, bodyBytes);
      } while (at < bytes.length);
    } catch {
      socket.destroy();
    }
  });
});

process.on('message', (order: EndpointOrder) => {
  if (order.do === 'serve') {
    rules = order;
    server.listen({ port: order.port, host: '127.0.0.1', backlog: 4096 }, () => process.send?.(report));
    return;
  }
  process.send?.(report);
  report = { ...report, served: 0, wasted: 0, begun: [] };
});
process.on('disconnect', () => process.exit());
