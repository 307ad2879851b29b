/** The places a log is written to: a file that knows when its path names another one, or an open descriptor. */
import { write } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';

/** An open place to append to. */
export interface LogFile {
  /** Appends; gives the number of bytes written. Rejects with an errno `code` (`ENOSPC`, `EPIPE`, `EAGAIN` …). */
  write(buffer: Buffer, offset: number, length: number): Promise<number>;
  /** True when the path it was opened by no longer names this file. */
  renamed(): Promise<boolean>;
  close(): Promise<void>;
}

/** Opens a file for appending, made with mode 0640 when it is missing. Rejects with the reason when it cannot. */
export async function openLogFile(path: string): Promise<LogFile> {
  const handle = await open(path, 'a', 0o640);
  const { dev, ino } = await handle.stat();
  return new PathFile(path, handle, dev, ino);
}

/** A descriptor that is open already and stays open: 1 for standard output. */
export function descriptorFile(descriptor: number): LogFile {
  return {
    // Not process.stdout: that writes to pipes synchronously, and a reader that stands still would stop the process.
    write: (buffer, offset, length) =>
      new Promise((resolve, reject) => {
        write(descriptor, buffer, offset, length, null, (error, n) => (error ? reject(error) : resolve(n)));
      }),
    renamed: async () => false,
    close: async () => {},
  };
}

class PathFile implements LogFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #dev: number;
  readonly #ino: number;

  constructor(path: string, handle: FileHandle, dev: number, ino: number) {
    this.#path = path;
    this.#handle = handle;
    this.#dev = dev;
    this.#ino = ino;
  }

  async write(buffer: Buffer, offset: number, length: number): Promise<number> {
    return (await this.#handle.write(buffer, offset, length)).bytesWritten;
  }

  async renamed(): Promise<boolean> {
    const there = await stat(this.#path).catch(() => undefined);
    return there === undefined || there.ino !== this.#ino || there.dev !== this.#dev;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
