/** What the engine's check-up finds in a scenario. */
import type { Check, CheckId, Outcome, Snapshot, Subject } from '../lib/protocol';

export function checks({ version, accounts, problems }: Snapshot): Check[] {
  const check = (id: CheckId, subject: Subject, outcome: Outcome, said: string, to_do: string | null = null): Check => ({
    id,
    subject,
    outcome,
    said,
    to_do,
  });
  const machine = [
    check('baton', 'machine', 'fine', `Baton ${version} is running.`),
    ...problems.map((problem) => check('baton', 'machine', 'problem', problem)),
    check('ports', 'machine', 'fine', 'The proxy answers on 127.0.0.1 and ::1, port 8642, and only to who knows its secret.'),
    check('clock', 'machine', 'not_checked', 'The clock couldn’t be compared: no answer told the service’s time.'),
    check('keychain', 'machine', 'fine', 'The keychain answers.'),
    check('last_request', 'machine', 'note', 'Codex has never come through.', '`baton connect`, then start Codex anew: one that runs goes on as it was started.'),
  ];
  const each = accounts.flatMap(({ label, state, state_text, plan }) => {
    const subject = { account: label };
    const well = state.state !== 'needs_attention';
    return [
      check('state', subject, well ? 'fine' : 'problem', `${state_text}.`, well ? null : `Sign in again: \`baton accounts add --label ${label}\`.`),
      check('plan', subject, plan ? 'fine' : 'not_checked', plan ? `Plan: ${plan}.` : 'The plan isn’t known yet.'),
      well
        ? check('usage', subject, 'fine', 'Left: 5 h 63.5 %, resets 16:40; week 88 %, resets Wed 18:30.')
        : check('usage', subject, 'not_checked', 'Usage wasn’t asked for: it needs you first.'),
    ];
  });
  return [...machine, ...each];
}
