/**
 * What our deploys have set, remembered on the function itself: so that what is taken out of a config goes, and what others
 * have set stays. A function has labels and no other notes, and a label takes 63 of `a-z0-9_-`: so hashes stand there.
 */
import { createHash } from 'node:crypto';
import type { CloudFunction } from './control-plane.js';

type Labels = Readonly<Record<string, string>>;

const HASH_DIGITS = 10;
const HASHES_PER_LABEL = 6;

/** What is remembered, and the start of the names of its labels. */
const REMEMBERED = {
  fields: 'jobferry-fields',
  labels: 'jobferry-labels',
  invokers: 'jobferry-invokers',
} as const;
type Kind = keyof typeof REMEMBERED;

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, HASH_DIGITS);
}

/** The hashes that stand in the labels. */
export function rememberedIn(labels: Labels | null | undefined, kind: Kind): ReadonlySet<string> {
  const hashes = new Set<string>();
  for (let n = 1; ; n += 1) {
    const text = labels?.[`${REMEMBERED[kind]}-${n}`];
    if (text === undefined) return hashes;
    for (let at = 0; at < text.length; at += HASH_DIGITS) hashes.add(text.slice(at, at + HASH_DIGITS));
  }
}

/** The labels that say it; none for nothing. */
export function labelsFor(kind: Kind, hashes: Iterable<string>): Record<string, string> {
  const all = [...new Set(hashes)].sort();
  const made: Record<string, string> = {};
  for (let n = 1; all.length > 0; n += 1)
    made[`${REMEMBERED[kind]}-${n}`] = all.splice(0, HASHES_PER_LABEL).join('');
  return made;
}

/** What a config may leave to Google, or to others; all else is set by each deploy. */
export const OPTIONAL_FIELDS = [
  'availableCpu',
  'maxInstanceCount',
  'serviceAccountEmail',
  'vpcConnector',
  'vpcConnectorEgressSettings',
] as const satisfies (keyof NonNullable<CloudFunction['serviceConfig']>)[];
export const BUILD_ACCOUNT = 'buildServiceAccount';

/** Of a function that is asked for: which optional fields and which labels are set. */
export function memoryOf({ serviceConfig, buildConfig }: CloudFunction, labels: Labels): Labels {
  const fields: string[] = OPTIONAL_FIELDS.filter((field) => serviceConfig?.[field] !== undefined);
  if (buildConfig?.serviceAccount !== undefined) fields.push(BUILD_ACCOUNT);
  return {
    ...labelsFor('fields', fields.map(hashOf)),
    ...labelsFor('labels', Object.keys(labels).map(hashOf)),
  };
}
