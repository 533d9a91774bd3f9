/** Moves along a row of which one element has the focus: arrows, Home and End. The one that has it is the row's tab stop. */
export function walk<E extends HTMLElement | SVGElement>(row: E[], key: string): E | null {
  const at = row.findIndex((each) => each === each.ownerDocument.activeElement);
  const moves: Record<string, number> = {
    ArrowRight: at + 1,
    ArrowDown: at + 1,
    ArrowLeft: at - 1,
    ArrowUp: at - 1,
    Home: 0,
    End: row.length - 1,
  };
  const to = at < 0 ? undefined : moves[key];
  const next = to === undefined ? undefined : row[Math.max(0, Math.min(to, row.length - 1))];
  if (!next) return null;
  for (const each of row) each.setAttribute('tabindex', each === next ? '0' : '-1');
  return next;
}
