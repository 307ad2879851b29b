/** What a node has last heard of the store that it shares: the time there, and which data it has. */

/** See the file's head. */
export class Heard {
  /** Time of the store. */
  at = 0;
  /** Tells its data from others; '' before it has answered. */
  home = '';
  /** When that was asked for, or the node began (monotonic milliseconds). */
  askedAt: number;

  constructor(now: number) {
    this.askedAt = now;
  }

  /** Milliseconds since what was heard was asked for; -1: nothing was. */
  elapsed(now: number): number {
    return this.home === '' ? -1 : now - this.askedAt;
  }

  /** Takes an answer to what was sent at `sentAt`; an older one may come later. True: it has lost the data that it had. */
  take(at: number, home: string, sentAt: number): boolean {
    const first = this.home === '';
    if (first || sentAt >= this.askedAt) {
      this.askedAt = sentAt;
      this.at = at;
    }
    const lost = !first && home !== this.home;
    this.home = home;
    return lost;
  }
}
