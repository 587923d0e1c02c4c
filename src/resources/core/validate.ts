/** Finds every fault of a file at once, each with its path and what to do. Pure. */
import { CONFIG_FIELDS, configFaults } from './config-rules.js';
import { type Fault, nearest, quoted } from './fault.js';
import { RUNTIMES, type RuntimeInfo, runtimeNamed, successorOf } from './runtimes.js';
import { doubleFaults, outputFaults } from './validate-across.js';
import { gpuScaleFaults } from './validate-gpu.js';
import { selfReference } from './validate-loop.js';

const NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const SECRET_NAME = /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$/;
/** Of an environment variable. */
export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const TOP_FIELDS = ['provider', 'functions', 'secrets', 'outputs'];
const FUNCTION_FIELDS = [
  'name',
  'runtime',
  'template',
  'code_path',
  'code_archive',
  'code_inline',
  'image',
  'handler_function',
  'requirements',
  'config',
  'environment',
  'secrets',
  'labels',
  'annotations',
  'namespace',
  'provider',
  'job_id',
];
const CODE_FIELDS = ['code_path', 'code_archive', 'code_inline'] as const;
const SECRET_FIELDS = ['name', 'value_env', 'value_file', 'namespace', 'provider'];
/**
 * @param today a runtime past its end of life is a warning
 * @returns faults in the order of the file; empty for a good one
 */
export function validate(value: unknown, today: Date = new Date()): Fault[] {
  const check = new Check(today);
  check.file(value);
  return check.faults;
}

type Path = readonly string[];
type Fields = Readonly<Record<string, unknown>>;

class Check {
  readonly faults: Fault[] = [];
  readonly #today: Date;

  constructor(today: Date) {
    this.#today = today;
  }

  file(value: unknown): void {
    if (value === undefined || value === null) {
      return this.#fault([], 'is empty', `Declare ${TOP_FIELDS.slice(1).join(', ')}.`);
    }
    if (!isObject(value)) {
      return this.#fault([], `is ${quoted(value)}`, `Write it as an object with ${TOP_FIELDS.join(', ')}.`);
    }
    const loop = selfReference(value);
    if (loop !== undefined) return this.#fault(loop, 'refers to itself', 'Write out what it shall be.');
    const file = this.#object([], value, TOP_FIELDS, 'the file');
    if (file === undefined) return;
    this.#optionalText(['provider'], file['provider']);
    const functions = this.#map(['functions'], file['functions']);
    const secrets = this.#map(['secrets'], file['secrets']);
    for (const [key, one] of Object.entries(functions)) this.#function(['functions', key], key, one);
    for (const [key, one] of Object.entries(secrets)) this.#secret(['secrets', key], key, one);
    const outputs = Object.entries(this.#map(['outputs'], file['outputs']));
    const across = [
      ...doubleFaults('functions', functions, file['provider']),
      ...doubleFaults('secrets', secrets, file['provider']),
      ...outputs.flatMap(([name, reference]) => outputFaults(name, reference, functions, secrets)),
    ];
    for (const { path, message, fix } of across) this.#fault(path, message, fix);
  }

  #function(path: Path, key: string, value: unknown): void {
    const fields = this.#object(path, value, FUNCTION_FIELDS, 'a function');
    if (fields === undefined) return;
    this.#name(fields['name'] === undefined ? path : [...path, 'name'], fields['name'] ?? key);
    const runtime = this.#runtime(path, fields['runtime']);
    this.#template([...path, 'template'], fields['template'], runtime);
    this.#code(path, fields, runtime?.name);
    for (const field of [
      'handler_function',
      'requirements',
      'namespace',
      'provider',
      'image',
      ...CODE_FIELDS,
    ]) {
      this.#optionalText([...path, field], fields[field]);
    }
    if (typeof fields['namespace'] === 'string' && fields['namespace'].includes('.')) {
      this.#fault(
        [...path, 'namespace'],
        'a namespace has no dots',
        'Leave the dots out: they part name and namespace.',
      );
    }
    this.#config([...path, 'config'], fields['config'], runtime);
    for (const field of ['environment', 'labels', 'annotations'])
      this.#strings([...path, field], fields[field]);
    const variables = Object.keys(isObject(fields['environment']) ? fields['environment'] : {});
    for (const name of variables.filter((one) => !VARIABLE_NAME.test(one))) {
      const message = `${quoted(name)} is no name of an environment variable`;
      this.#fault([...path, 'environment', name], message, 'Use letters, digits and _, with no digit first.');
    }
    this.#secretNames([...path, 'secrets'], fields['secrets']);
    const jobId = fields['job_id'];
    if (
      jobId !== undefined &&
      !(Number.isInteger(jobId) && (jobId as number) >= 0 && (jobId as number) <= 0xffff_ffff)
    ) {
      this.#fault([...path, 'job_id'], 'is no job id', 'Use an integer from 0 to 4294967295.');
    }
  }

  #name(path: Path, name: unknown): void {
    if (typeof name === 'string' && NAME.test(name) && name.length >= 3 && name.length <= 63) return;
    this.#fault(
      path,
      `${quoted(name)} is no name of a function`,
      'Use 3 to 63 of a-z, 0-9 and -, with a letter or digit at both ends.',
    );
  }

  #runtime(path: Path, value: unknown): RuntimeInfo | undefined {
    const names = RUNTIMES.map(({ name }) => name).join(', ');
    if (value === undefined) {
      this.#fault(path, 'has no `runtime`', `Add one of ${names}.`);
      return undefined;
    }
    const runtime = typeof value === 'string' ? runtimeNamed(value) : undefined;
    if (runtime === undefined) {
      this.#fault([...path, 'runtime'], `${quoted(value)} is no runtime`, `Use one of ${names}.`);
      return undefined;
    }
    const successor = successorOf(runtime, this.#today);
    if (runtime.endOfLife !== undefined && new Date(runtime.endOfLife) < this.#today) {
      this.#fault(
        [...path, 'runtime'],
        `${runtime.title} has had no security fixes since ${runtime.endOfLife}`,
        successor === undefined
          ? 'No newer one of its kind is listed here: ask the provider which it offers.'
          : `Move to ${successor.name}.`,
        'warning',
      );
    }
    return runtime;
  }

  #template(path: Path, value: unknown, runtime: RuntimeInfo | undefined): void {
    const known = runtime?.templates ?? [...new Set(RUNTIMES.flatMap(({ templates }) => templates))];
    if (value === undefined || known.includes(value as string)) return;
    const of = runtime === undefined ? 'any runtime' : runtime.name;
    this.#fault(path, `${quoted(value)} is no template of ${of}`, `Use ${known.join(' or ')}.`);
  }

  /** @param runtime undefined where it is not known: what is wrong with any is said all the same */
  #code(path: Path, fields: Fields, runtime: string | undefined): void {
    const given = CODE_FIELDS.filter((field) => fields[field] !== undefined);
    const hasImage = fields['image'] !== undefined;
    if (runtime === 'custom') {
      if (!hasImage)
        this.#fault(path, 'has no `image`', 'The runtime custom runs a container image: name it.');
      for (const field of given) {
        this.#fault(
          [...path, field],
          'goes with no image',
          'Take it out: the runtime custom has its code in `image`.',
        );
      }
      return;
    }
    if (hasImage && runtime !== undefined) {
      this.#fault(
        [...path, 'image'],
        `goes with the runtime custom only, not with ${runtime}`,
        'Take it out, or use the runtime custom.',
      );
    }
    if (given.length === 0 && !(hasImage && runtime === undefined)) {
      this.#fault(path, 'has no code', `Add one of ${CODE_FIELDS.join(', ')}.`);
    }
    for (const field of given.slice(1)) {
      this.#fault(
        [...path, field],
        `stands beside \`${given[0]}\``,
        'A function has exactly one source of code: keep one of them.',
      );
    }
  }

  #config(path: Path, value: unknown, runtime: RuntimeInfo | undefined): void {
    if (value === undefined || value === null) return;
    const fields = this.#object(path, value, CONFIG_FIELDS, '`config`');
    if (fields === undefined) return;
    for (const fault of [...configFaults(fields, runtime), ...gpuScaleFaults(fields)]) {
      this.#fault([...path, ...fault.path], fault.message, fault.fix);
    }
  }

  #secretNames(path: Path, value: unknown): void {
    if (value === undefined || value === null) return;
    if (!Array.isArray(value)) return this.#fault(path, 'is no list', 'List the names of secrets.');
    value.forEach((name, index) => {
      if (typeof name === 'string' && SECRET_NAME.test(name)) return;
      this.#fault(
        [...path, String(index)],
        `${quoted(name)} is no name of a secret`,
        'Use letters, digits and hyphens.',
      );
    });
  }

  #secret(path: Path, key: string, value: unknown): void {
    // Written where a declaration belongs, this may be the value itself: it is not shown.
    if (!isObject(value)) {
      this.#fault(path, 'is no declaration of a secret', 'Write an object with `value_env` or `value_file`.');
      return;
    }
    const fields = this.#object(path, value, SECRET_FIELDS, 'a secret');
    if (fields === undefined) return;
    const name = fields['name'] ?? key;
    if (typeof name !== 'string' || !SECRET_NAME.test(name)) {
      this.#fault(path, `${quoted(name)} is no name of a secret`, 'Use letters, digits and hyphens.');
    }
    for (const field of SECRET_FIELDS) {
      if (field !== 'value_env') this.#optionalText([...path, field], fields[field]);
    }
    const { value_env: variable } = fields;
    // It may be the value itself, written in the wrong place: it is not shown.
    if (variable !== undefined && !(typeof variable === 'string' && VARIABLE_NAME.test(variable))) {
      this.#fault(
        [...path, 'value_env'],
        'is no name of an environment variable',
        'Name the variable that holds the value, in letters, digits and _: the value itself belongs in no file.',
      );
    }
    const sources = ['value_env', 'value_file'].filter((field) => fields[field] !== undefined);
    if (sources.length !== 1) {
      this.#fault(
        path,
        'needs exactly one source of its value',
        'Add `value_env` with the name of an environment variable, or `value_file`.',
      );
    }
  }

  #object(path: Path, value: unknown, known: readonly string[], what: string): Fields | undefined {
    if (!isObject(value)) {
      this.#fault(path, `${what} is ${quoted(value)}`, 'Write it as an object with fields.');
      return undefined;
    }
    for (const field of Object.keys(value)) {
      if (known.includes(field)) continue;
      const near = nearest(field, known);
      this.#fault(
        [...path, field],
        `${what} has no such field`,
        near === undefined ? `Known are ${known.join(', ')}.` : `Did you mean \`${near}\`?`,
      );
    }
    return value;
  }

  #map(path: Path, value: unknown): Fields {
    if (value === undefined || value === null) return {};
    if (isObject(value)) return value;
    this.#fault(path, `is ${quoted(value)}`, 'Write it as an object: a name for each entry.');
    return {};
  }

  #strings(path: Path, value: unknown): void {
    for (const [key, text] of Object.entries(this.#map(path, value))) {
      if (typeof text !== 'string')
        this.#fault([...path, key], `is ${quoted(text)}`, 'Write it as text, in quotes.');
    }
  }

  #optionalText(path: Path, value: unknown): void {
    if (value === undefined || (typeof value === 'string' && value !== '')) return;
    this.#fault(path, `is ${quoted(value)}`, 'Write it as text.');
  }

  #fault(path: Path, message: string, fix: string, severity: Fault['severity'] = 'error'): void {
    this.faults.push({ path, message, fix, severity });
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
