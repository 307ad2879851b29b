/** A gate in front of a server: what has come waits there until it is told to go on, so that a test knows what is under way. */
import { request } from 'node:http';
import type { TestContext } from 'node:test';
import { serve } from './server.fixture.ts';

/** See the file's head. */
export interface Gate {
  readonly url: string;
  /** Requests that wait. */
  readonly waiting: number;
  /** They go on, and so does what comes. */
  open(): void;
  /** What comes waits again. */
  close(): void;
}

/** Sets one up in front of the server with this URL; it is closed. */
export async function gateTo(t: TestContext, server: string): Promise<Gate> {
  let waiting: (() => void)[] = [];
  let isOpen = false;
  const url = await serve(t, (asked, answer) => {
    const parts: Buffer[] = [];
    const pass = () => {
      const { method = '', headers } = asked;
      const onward = request(server + asked.url, { method, headers }, (answered) => {
        answer.writeHead(answered.statusCode ?? 502, answered.headers);
        answered.pipe(answer);
      });
      // Who is gone needs no answer.
      onward.on('error', () => answer.destroy());
      answer.on('close', () => onward.destroy());
      onward.end(Buffer.concat(parts));
    };
    asked.on('data', (part: Buffer) => parts.push(part));
    asked.on('end', () => (isOpen ? pass() : waiting.push(pass)));
  });
  return {
    url,
    get waiting() {
      return waiting.length;
    },
    open: () => {
      isOpen = true;
      for (const pass of waiting) pass();
      waiting = [];
    },
    close: () => {
      isOpen = false;
    },
  };
}
