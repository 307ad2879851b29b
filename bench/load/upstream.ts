/**
 * The stand-in upstream: a process of its own on a raw socket server, cheap enough that the proxy is what is measured.
 * It answers every request alike, as the bench has ordered, and reports which body lengths it was sent.
 */
import { createServer, type Socket } from 'node:net';
import { answerBody, DONE_EVENT, EVENT } from './body.ts';
import type { Answer, UpstreamOrder, UpstreamReport } from './channel.ts';
import { MessageReader } from './reader.ts';

const STREAM_HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const EVENT_CHUNK = Buffer.from(chunk(EVENT));
const FIRST = Buffer.from(STREAM_HEAD + chunk(EVENT));
const LAST = Buffer.from(`${chunk(DONE_EVENT)}0\r\n\r\n`);

let answer: Answer = { kind: 'body', bytes: 350 };
let wholeAnswer = wholeResponse(350);
let report = emptyReport();
let endless: Socket[] = [];
let turn = 0;
let emitted = 0;
let emitStart = 0;
let ticking: NodeJS.Timeout | undefined;

interface Short {
  socket: Socket;
  left: number;
  due: number;
}
let shorts: Short[] = [];

function emptyReport(): UpstreamReport {
  return { requests: 0, lengths: {}, eventsSent: 0, openStreams: 0 };
}

function wholeResponse(bytes: number): Buffer {
  const body = answerBody(bytes);
  return Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n${body}`);
}

function respond(socket: Socket, bodyBytes: number): void {
  report.requests++;
  report.lengths[bodyBytes] = (report.lengths[bodyBytes] ?? 0) + 1;
  if (answer.kind === 'body') socket.write(wholeAnswer);
  else if (answer.kind === 'endless') {
    report.eventsSent++;
    socket.write(FIRST);
    endless.push(socket);
  } else {
    report.eventsSent++;
    socket.write(FIRST);
    shorts.push({ socket, left: answer.events - 1, due: performance.now() + 5 });
  }
}

/** One tick a millisecond: endless streams take turns, so that events reach the proxy spread out as tokens do. */
function tick(): void {
  const now = performance.now();
  if (answer.kind === 'endless' && endless.length > 0) {
    const due = Math.floor(((now - emitStart) / 1000) * answer.eventsPerSecond * endless.length);
    // After a stall of this process the rest is skipped, so that no burst is sent that no model would send.
    const most = Math.ceil((answer.eventsPerSecond * endless.length) / 50);
    if (due - emitted > most) emitted = due - most;
    for (; emitted < due; emitted++) {
      if (turn >= endless.length) turn = 0;
      endless[turn++]!.write(EVENT_CHUNK);
      report.eventsSent++;
    }
  } else if (shorts.length > 0) {
    let ended = false;
    for (const stream of shorts) {
      if (stream.due > now) continue;
      stream.due += 5;
      report.eventsSent++;
      if (stream.left-- > 1) stream.socket.write(EVENT_CHUNK);
      else {
        ended = true;
        stream.socket.write(LAST);
      }
    }
    if (ended) shorts = shorts.filter((stream) => stream.left > 0);
  }
}

function onConnection(socket: Socket): void {
  const reader = new MessageReader('request');
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    if (answer.kind === 'endless') endless = endless.filter((other) => other !== socket);
  });
  socket.on('data', (bytes: Buffer) => {
    try {
      let at = 0;
      do {
        at += reader.feed(at === 0 ? bytes : bytes.subarray(at));
        if (!reader.done) return;
        const length = reader.bodyBytes;
        reader.reset();
        respond(socket, length);
      } while (at < bytes.length);
    } catch {
      report.lengths.unreadable = (report.lengths.unreadable ?? 0) + 1;
      socket.destroy();
    }
  });
}

const server = createServer(onConnection);

process.on('message', (order: UpstreamOrder) => {
  switch (order.do) {
    case 'listen':
      server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
        const address = server.address();
        process.send?.(typeof address === 'object' ? address?.port : 0);
      });
      return;
    case 'answer':
      answer = order.answer;
      // A proxy that has not yet noticed that its client left would keep an old stream open.
      for (const socket of endless) socket.destroy();
      endless = [];
      shorts = [];
      if (answer.kind === 'body') wholeAnswer = wholeResponse(answer.bytes);
      clearInterval(ticking);
      emitted = 0;
      emitStart = performance.now();
      ticking = answer.kind === 'body' ? undefined : setInterval(tick, 1);
      report = emptyReport();
      break;
    case 'stop':
      clearInterval(ticking);
      break;
    case 'report':
  }
  report.openStreams = endless.length;
  process.send?.(report);
  if (order.do === 'report') report = emptyReport();
});
process.on('disconnect', () => process.exit());
