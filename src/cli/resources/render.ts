/** A plan for people: what changes, how, and why it is not less. */
import type { Action, ActionKind, Change, Drift, Plan } from '../../resources/index.js';

const SIGNS: Readonly<Record<ActionKind, string>> = {
  create: '+',
  update: '~',
  replace: '-/+',
  delete: '-',
  'no-op': ' ',
};
const COLOURS: Readonly<Record<ActionKind, number>> = {
  create: 32,
  update: 33,
  replace: 35,
  delete: 31,
  'no-op': 0,
};
const DOES: Readonly<Record<ActionKind, string>> = {
  create: 'will be created',
  update: 'will be updated in place',
  replace: 'will be replaced',
  delete: 'will be deleted',
  'no-op': 'is as declared',
};

export function planLines(plan: Plan, drifts: readonly Drift[], colour: boolean): string[] {
  const paint = (code: number, text: string) =>
    colour && code !== 0 ? `\u001b[${code}m${text}\u001b[0m` : text;
  const lines: string[] = drifts.map(({ message }) => paint(36, `! ${message}`));
  for (const action of plan.actions) {
    if (action.kind === 'no-op') continue;
    lines.push(
      paint(
        COLOURS[action.kind],
        `${SIGNS[action.kind]} ${action.key} ${DOES[action.kind]}${because(action)}`,
      ),
    );
    for (const change of shownChanges(action))
      lines.push(`    ${paint(COLOURS[action.kind], changeText(action, change))}`);
  }
  lines.push(summary(plan));
  return lines;
}

export function summary({ actions }: Plan): string {
  const count = (kind: ActionKind) => actions.filter((action) => action.kind === kind).length;
  if (actions.every(({ kind }) => kind === 'no-op')) return 'Nothing to do: everything is as declared.';
  return `Plan: ${count('create')} to create, ${count('update')} to update, ${count('replace')} to replace, ${count('delete')} to delete.`;
}

/** For --json: without the values that nobody should see. */
export function planData({ actions, serial, lineage }: Plan, drifts: readonly Drift[]) {
  return {
    serial,
    lineage,
    drifts: drifts.map(({ address, kind, message }) => ({ address, kind, message })),
    actions: actions.map((action) => {
      const { key, address, kind, groups, reasons } = action;
      const changes = shownChanges(action).map((change) =>
        change.sensitive ? { path: change.path, sensitive: true } : change,
      );
      return { key, address, kind, groups, reasons, changes };
    }),
  };
}

/** That it is not there yet goes without saying; what a create deletes before does not. */
function because({ kind, reasons, prior }: Action): string {
  const isPlain = kind === 'create' && prior === undefined;
  return reasons.length === 0 || isPlain ? '' : ` because ${reasons.join(' and ')}`;
}

type Shown = Omit<Change, 'needs'> & Partial<Pick<Change, 'needs'>>;

/** Of what is made, all that was asked for; of the rest, what differs. */
function shownChanges({ kind, changes, desired }: Action): readonly Shown[] {
  if (kind !== 'create' || desired === undefined) return changes;
  const { type: _type, address: _address, ...fields } = desired;
  return Object.entries(fields).flatMap(([field, value]) => made(field, value));
}

function made(path: string, after: unknown): Shown[] {
  if (path === 'value_hash') return [{ path: 'value', before: undefined, after, sensitive: true }];
  if (after === undefined || (Array.isArray(after) && after.length === 0)) return [];
  if (typeof after !== 'object' || after === null || Array.isArray(after))
    return [{ path, before: undefined, after }];
  return Object.entries(after).flatMap(([key, value]) => made(`${path}.${key}`, value));
}

function changeText({ kind }: Action, { path, before, after, sensitive, needs }: Shown): string {
  const forces = needs === 'replace' && kind === 'replace' ? '  # forces replacement' : '';
  if (sensitive) return `${kind === 'create' ? '+' : '~'} ${path}: (sensitive)${forces}`;
  if (before === undefined || before === null) return `+ ${path}: ${shown(after)}${forces}`;
  if (after === undefined || after === null) return `- ${path}: ${shown(before)}${forces}`;
  return `~ ${path}: ${shown(before)} -> ${shown(after)}${forces}`;
}

/** Hashes are long, and nobody compares them by eye. */
function shown(value: unknown): string {
  const text =
    typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
      ? `${value.slice(0, 12)}…`
      : JSON.stringify(value);
  return text ?? 'nothing';
}
