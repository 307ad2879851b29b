/**
 * The documents of one kind as workers get them: lines of text in pages outside of the JavaScript heap. A change is another
 * line at the end, and the last line of an id counts; when too many are out of date, everything is read anew.
 */

/** Characters at which a page is closed. */
const PAGE = 262_144;
/** Lines that may be out of date whatever the size. */
const SLACK = 20_000;

/** The line that tells a document: its id and its JSON; without JSON it is no more. */
export function lineOf(id: string, packed: unknown): string {
  return packed === undefined ? `${JSON.stringify(id)}\n` : `${JSON.stringify(id)}\t${JSON.stringify(packed)}\n`;
}

/** Lines since a whole reading, pages and all. Replaced as one, so that who is in the midst of reading goes on with the old. */
class Reading {
  readonly pages: Buffer[] = [];
  open: string[] = [];
  openLength = 0;
  lines = 0;
}

/** See the file's head. */
export class DirectoryLog {
  #reading = new Reading();
  /** Documents at the last whole reading. */
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** More lines have come since the last whole reading than there were documents: time to read anew. */
  get wasteful(): boolean {
    return this.#reading.lines > 2 * this.#size + SLACK;
  }

  /** Adds a document, or what has become of it; returns the line. */
  append(id: string, packed: unknown): string {
    const line = lineOf(id, packed);
    const reading = this.#reading;
    reading.lines++;
    reading.open.push(line);
    reading.openLength += line.length;
    if (reading.openLength >= PAGE) {
      reading.pages.push(Buffer.from(reading.open.join('')));
      reading.open = [];
      reading.openLength = 0;
    }
    return line;
  }

  /** Is what a whole reading gave, from now on. */
  become(read: DirectoryLog): void {
    this.#reading = read.#reading;
    this.#size = read.#reading.lines;
  }

  /** All pages; what is added while they are read comes at the end. */
  *pages(): Generator<string> {
    const reading = this.#reading;
    for (let i = 0; i < reading.pages.length; i++) yield (reading.pages[i] as Buffer).toString('utf8');
    if (reading.open.length > 0) yield reading.open.join('');
  }
}
