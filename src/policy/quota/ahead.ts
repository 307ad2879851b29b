/** How much is granted beyond what requests wait for. */

/** Share of what is free that one wish may take: the rest is for the others. */
const WISH_SHARE = 4;
/** Part of a limit that is granted ahead at once; a quarter of it when less than half of the limit is free. */
const AHEAD_SHARE = 32;

/**
 * What is granted ahead of `spare` free units of a limit. Less than the request needs that asks would let in no other of its kind,
 * neither there nor, as long as it lies idle there, anywhere else.
 */
export function aheadOf({ wish, least }: { wish: number; least: number }, limit: number, spare: number): number {
  const units = Math.max(0, Math.min(wish, spareOf(limit, spare)));
  return units < least ? 0 : units;
}

/** What may be granted ahead: of a small limit nothing, for whatever one worker has in hand others cannot use. */
function spareOf(limit: number, spare: number): number {
  const step = spare > limit / 2 ? limit / AHEAD_SHARE : limit / (AHEAD_SHARE * 4);
  return Math.floor(Math.min(step, spare / WISH_SHARE));
}
