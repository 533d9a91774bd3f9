import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

// axe sees no colours in jsdom: the tokens are reckoned by WCAG's formula instead.
const [usual = '', high = ''] = readFileSync('src/styles/tokens.css', 'utf8').split('@media (prefers-contrast: more)');

type Theme = 0 | 1;

function colour(name: string, css: string, theme: Theme): string {
  const found = new RegExp(`--${name}: light-dark\\((#\\w{6}), (#\\w{6})\\)`).exec(css);
  // What high contrast doesn't name is as usual.
  if (!found && css !== usual) return colour(name, usual, theme);
  if (!found) throw new Error(`there is no --${name}`);
  return found[theme + 1] ?? '';
}

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const value = parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function ratio(a: string, b: string): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

const TEXT: [string, string[]][] = [
  ['text', ['page', 'surface', 'sunken', 'hover', 'accent-soft', 'wait-soft', 'alert-soft']],
  ['muted', ['page', 'surface', 'sunken', 'hover', 'accent-soft']],
  ['accent', ['page', 'surface']],
  ['ok', ['surface']],
  ['wait', ['surface', 'wait-soft']],
  ['alert', ['surface', 'alert-soft', 'hover']],
  ['on-accent', ['accent', 'accent-strong']],
];
/** Edges of what can be operated, and bars. */
const SHAPES: [string, string[]][] = [
  ['line-strong', ['surface', 'page']],
  ['accent', ['sunken']],
];

const modes: [string, string, Theme][] = [
  ['light', usual, 0],
  ['dark', usual, 1],
  ['light with more contrast', high, 0],
  ['dark with more contrast', high, 1],
];

test.each(modes)('text and shapes can be told from their ground: %s', (_, css, theme) => {
  const tooFaint = (pairs: [string, string[]][], least: number) =>
    pairs.flatMap(([fore, grounds]) =>
      grounds
        .map((ground) => ({ fore, ground, is: ratio(colour(fore, css, theme), colour(ground, css, theme)) }))
        .filter(({ is }) => is < least),
    );
  expect(tooFaint(TEXT, css === high ? 7 : 4.5)).toEqual([]);
  expect(tooFaint(SHAPES, 3)).toEqual([]);
});
