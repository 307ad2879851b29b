/** Who lives on a wire, and hears what happens on it. */

/** The connection logic above a wire. */
export interface WireOwner {
  /** Bytes arrived. The slice is valid during the call only. */
  onBytes(buffer: Buffer, start: number, end: number): void;
  /** The peer sends no more (half-close). */
  onEof(): void;
  /** Everything written has been taken by the kernel. */
  onDrain(): void;
  /** The connection is broken; called at most once, never after `destroy`. `code`: errno number, negative. */
  onBroken(code: number): void;
}
