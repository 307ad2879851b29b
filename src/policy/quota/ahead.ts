/** How much is granted beyond what requests wait for. */

/** Share of what is free that one wish may take: the rest is for the others. */
const WISH_SHARE = 4;
/** Part of a limit that is granted ahead at once; a quarter of it when less than half of the limit is free. */
const AHEAD_SHARE = 32;

/** What may be granted ahead: of a small limit nothing, for whatever one worker has in hand others cannot use. */
export function spareOf(limit: number, spare: number): number {
  const step = spare > limit / 2 ? limit / AHEAD_SHARE : limit / (AHEAD_SHARE * 4);
  return Math.floor(Math.min(step, spare / WISH_SHARE));
}
