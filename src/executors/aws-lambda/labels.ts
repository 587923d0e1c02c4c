/** Labels become tags of the function: what AWS would refuse is refused before anything is created. */
import type { ConfigCheck } from '../shared/config-check.js';
import { MAX_TAG_KEY_CHARACTERS, MAX_TAG_VALUE_CHARACTERS, MAX_TAGS } from './limits.js';

/** Of tags, this executor's own: the keys of the labels, and the event settings. See `tags.ts`. */
const OWN_TAGS = 2;
const OWN_PREFIX = 'jobferry:';
// AWS takes spaces in keys, too; here they separate the keys in a tag of ours.
const KEY = /^[\p{L}\p{N}_.:/=+\-@]+$/u;
const VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const AWS_PREFIX = /^aws:/i;

/** @throws {FaasError} CONFIG with the key of the label */
export function checkLabels(labels: Readonly<Record<string, string>>, check: ConfigCheck): void {
  const keys = Object.keys(labels);
  if (keys.length > MAX_TAGS - OWN_TAGS) {
    check.refuse('CONFIG', `\`labels\` has ${keys.length} entries, the limit is ${MAX_TAGS - OWN_TAGS}`);
  }
  for (const [key, value] of Object.entries(labels)) {
    if (!KEY.test(key) || [...key].length > MAX_TAG_KEY_CHARACTERS) {
      const shown = JSON.stringify(key.slice(0, 140));
      check.refuse(
        'CONFIG',
        `\`labels\` has a key that is no tag key: ${shown}. Use 1 to ${MAX_TAG_KEY_CHARACTERS} letters, digits and _ . : / = + - @`,
      );
    }
    if (AWS_PREFIX.test(key) || key.startsWith(OWN_PREFIX)) {
      check.refuse('CONFIG', `\`labels.${key}\`: keys with aws: and ${OWN_PREFIX} are taken`);
    }
    if (typeof value !== 'string' || !VALUE.test(value) || [...value].length > MAX_TAG_VALUE_CHARACTERS) {
      check.refuse(
        'CONFIG',
        `\`labels.${key}\` must be a text of at most ${MAX_TAG_VALUE_CHARACTERS} letters, digits, spaces and _ . : / = + - @`,
      );
    }
    if (AWS_PREFIX.test(value)) check.refuse('CONFIG', `\`labels.${key}\` begins with aws:, which is taken`);
  }
  const joined = [...keys.join(' ')].length;
  if (joined > MAX_TAG_VALUE_CHARACTERS) {
    check.refuse(
      'CONFIG',
      `the keys of \`labels\` have ${joined} characters together, the limit is ${MAX_TAG_VALUE_CHARACTERS}: one tag lists them`,
    );
  }
}
