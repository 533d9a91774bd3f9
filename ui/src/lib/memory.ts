/** What the page itself keeps: that a hint was put away. Where nothing can be kept it shows again. */
const PREFIX = 'baton.';

export function remember(what: string) {
  try {
    localStorage.setItem(PREFIX + what, 'yes');
  } catch {
    // It is a hint: no more is lost than that it shows again.
  }
}

export function remembered(what: string): boolean {
  try {
    return localStorage.getItem(PREFIX + what) === 'yes';
  } catch {
    return false;
  }
}
