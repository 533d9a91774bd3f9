/** A path as a person types it, as the engine needs it: from the root. What begins nowhere begins in the home folder. */
export function absolute(typed: string, home: string): string {
  const path = typed.trim();
  if (/^([/\\]|[A-Za-z]:)/.test(path)) return path;
  const separator = home.includes('\\') ? '\\' : '/';
  const inside = path.replace(/^~?[/\\]|^~$/, '');
  return inside ? home.replace(/[/\\]$/, '') + separator + inside : home;
}
