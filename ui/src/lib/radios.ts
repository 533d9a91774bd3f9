/** Keeps the dot of a radio group where the engine says it is: it moves with the answer, not with the click. */
export function keep(event: Event & { currentTarget: HTMLInputElement }, value: string) {
  const group = event.currentTarget.closest('fieldset')?.querySelectorAll<HTMLInputElement>('input[type=radio]') ?? [];
  for (const each of group) each.checked = each.value === value;
}
