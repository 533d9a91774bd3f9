/** The check-up's findings: by what they are about, the troubled first. */
import type { Check, Outcome, Subject } from './protocol';

/** How an outcome is told, the most pressing first: in one word, and in the summary. */
export const OUTCOMES: Record<Outcome, { word: string; counted: string; icon: 'alert' | 'info' | 'off' | 'ok' }> = {
  problem: { word: 'Problem', counted: 'problems', icon: 'alert' },
  note: { word: 'Worth knowing', counted: 'worth knowing', icon: 'info' },
  not_checked: { word: 'Not checked', counted: 'not checked', icon: 'off' },
  fine: { word: 'Fine', counted: 'fine', icon: 'ok' },
};

const PRESSING = Object.keys(OUTCOMES) as Outcome[];

const rank = (of: Outcome) => PRESSING.indexOf(of);

export interface Group {
  title: string;
  /** The label, where it is about an account. */
  account: string | null;
  worst: Outcome;
  checks: Check[];
}

/** Groups with problems first; else in the engine's order. So are the findings of each. */
export function groups(checks: Check[]): Group[] {
  const found = new Map<string, Group>();
  for (const check of checks) {
    const key = JSON.stringify(check.subject);
    const group = found.get(key) ?? { ...about(check.subject), worst: check.outcome, checks: [] };
    group.checks.push(check);
    if (rank(check.outcome) < rank(group.worst)) group.worst = check.outcome;
    found.set(key, group);
  }
  const all = [...found.values()];
  for (const group of all) group.checks.sort((a, b) => rank(a.outcome) - rank(b.outcome));
  const troubled = (group: Group) => Number(group.worst !== 'problem');
  return all.sort((a, b) => troubled(a) - troubled(b));
}

function about(subject: Subject): Pick<Group, 'title' | 'account'> {
  if (subject === 'machine') return { title: 'This computer', account: null };
  if (subject === 'codex') return { title: 'Codex', account: null };
  return { title: subject.account, account: subject.account };
}

function counts(checks: Check[]): Partial<Record<Outcome, string>> {
  const counted = PRESSING.flatMap((of) => {
    const many = checks.filter(({ outcome }) => outcome === of).length;
    const what = of === 'problem' && many === 1 ? 'problem' : OUTCOMES[of].counted;
    return many ? [[of, `${many} ${what}`]] : [];
  });
  return Object.fromEntries(counted);
}

/** Of all findings: `1 problem, 2 not checked, 9 fine`. */
export const summary = (checks: Check[]) => Object.values({ problem: 'No problems', ...counts(checks) }).join(', ');

/** Of a group, which has more to say than that most of it is fine: `1 problem, 2 not checked`. */
export function brief({ checks }: Group): string {
  const { fine: _, ...rest } = counts(checks);
  return Object.values(rest).join(', ') || 'All fine';
}
