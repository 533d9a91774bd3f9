/** Where a dragged or moved account ends. Positions are the engine's: 1 is the primary. */

/** The position one step up or down, or `null` at the end of the list. */
export function step(position: number, by: -1 | 1, count: number): number | null {
  const to = position + by;
  return to >= 1 && to <= count ? to : null;
}

/** The gap (0 above the first card) that is nearest to a pointer, from the cards' middles in the list's order. */
export function gapAt(y: number, middles: number[]): number {
  const below = middles.findIndex((middle) => y < middle);
  return below === -1 ? middles.length : below;
}

/** The position that a drop into a gap means, or `null` where nothing would move. */
export function positionInGap(gap: number, from: number): number | null {
  const to = gap < from ? gap + 1 : gap;
  return to === from ? null : to;
}
