/** Where the window opens. */
export type View = 'now' | 'outlook' | 'activity' | 'settings';

export const VIEWS: { view: View; title: string }[] = [
  { view: 'now', title: 'Now' },
  { view: 'outlook', title: 'Outlook' },
  { view: 'activity', title: 'Activity' },
  { view: 'settings', title: 'Settings' },
];

/** A notification's place; what isn't known is *Now*. */
export function place(text: string): { view: View; account: number | null } {
  const account = /^account\/(\d+)$/.exec(text)?.[1];
  if (account !== undefined) return { view: 'now', account: Number(account) };
  return { view: VIEWS.find(({ view }) => view === text)?.view ?? 'now', account: null };
}
