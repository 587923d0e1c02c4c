import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageFiles } from '../../src/packaging/index.js';
import {
  checkSource,
  describeFault,
  RUNTIMES,
  readCodes,
  readSecretValues,
  readSource,
  resolveDeclarations,
  runtimesFor,
  validate,
} from '../../src/resources/index.js';

const TODAY = new Date('2026-01-01');
const good = { runtime: 'python3.11', code_inline: 'x' };
const GPU_OR_NONE = { hardware_type: 'gpu', min_scale: 0, max_scale: 1 };
const faultsOf = (fields: object) =>
  validate({ functions: { resize: { ...good, ...fields } } }, TODAY)
    .filter(({ severity }) => severity === 'error')
    .map(({ path, message, fix }) => `${path.slice(2).join('.')}: ${message}. ${fix}`);

describe('a good file', () => {
  it.each([
    ['the least', {}],
    [
      'every limit from below',
      { config: { memory_mb: 64, timeout_seconds: 1, replicas: 1, min_scale: 0, max_scale: 1 } },
    ],
    ['every limit from above', { config: { memory_mb: 8192, timeout_seconds: 900, replicas: 5 } }],
    ['an image', { runtime: 'custom', code_inline: undefined, image: 'registry.example/resize:1' }],
    ['a gpu', { runtime: 'pytorch2.1.2', config: { hardware_type: 'gpu', replicas: 1 } }],
    ['.NET by its alias', { runtime: 'dotnet7.0' }],
    ['a name of three', { name: 'a1b' }],
    [
      'a gpu that may be idle',
      { runtime: 'custom', code_inline: undefined, image: 'x', config: GPU_OR_NONE },
    ],
    [
      'what YAML has when a field is left empty',
      { environment: null, labels: null, secrets: null, config: null },
    ],
  ])('has no fault: %s', (_, fields) => expect(faultsOf(fields)).toEqual([]));

  it.each(
    RUNTIMES.filter(({ name }) => name !== 'custom').flatMap(({ name, templates }) =>
      templates.map((one) => [name, one]),
    ),
  )('takes %s with the template %s', (runtime, template) =>
    expect(faultsOf({ runtime, template })).toEqual([]),
  );
});

describe('the runtimes', () => {
  it('can be asked for by hardware', () => {
    expect(runtimesFor('gpu').map(({ name }) => name)).toEqual([
      'pytorch2.1.2',
      'tensorflow2.19.0',
      'custom',
    ]);
    expect(runtimesFor()).toEqual(RUNTIMES);
  });
});

describe('a fault', () => {
  it.each([
    [
      'memory below',
      { config: { memory_mb: 63 } },
      'config.memory_mb: is 63. Use an integer from 64 to 8192.',
    ],
    ['memory above', { config: { memory_mb: 8193 } }, 'config.memory_mb: is 8193.'],
    [
      'a fraction',
      { config: { timeout_seconds: 1.5 } },
      'config.timeout_seconds: is 1.5. Use an integer from 1 to 900.',
    ],
    ['too long', { config: { timeout_seconds: 901 } }, 'config.timeout_seconds: is 901.'],
    ['replicas', { config: { replicas: 6 } }, 'config.replicas: is 6. Use an integer from 1 to 5.'],
    [
      'a scale the wrong way round',
      { config: { min_scale: 5, max_scale: 2 } },
      'config.min_scale: is more than `max_scale` (2)',
    ],
    [
      'a scale above the most that it has by default',
      { config: { min_scale: 6 } },
      'config.min_scale: is more than `max_scale` (5)',
    ],
    ['hardware', { config: { hardware_type: 'tpu' } }, 'config.hardware_type: "tpu" is no hardware'],
    ['a gpu for what has none', { config: { hardware_type: 'gpu' } }, 'python3.11 does not run on gpu'],
    [
      'gpus in numbers',
      { runtime: 'pytorch2.1.2', config: { hardware_type: 'gpu', replicas: 2 } },
      'is more than 1 on gpu',
    ],
    ['a short name', { name: 'ab' }, 'name: "ab" is no name of a function'],
    ['a name with capitals', { name: 'Resize' }, 'name: "Resize" is no name'],
    ['a name that ends in a hyphen', { name: 'resize-' }, 'is no name'],
    ['a long name', { name: 'a'.repeat(64) }, 'is no name'],
    ['a runtime nobody has', { runtime: 'cobol85' }, 'runtime: "cobol85" is no runtime'],
    [
      'a template of another runtime',
      { template: 'go' },
      'template: "go" is no template of python3.11. Use http or flask or fastapi.',
    ],
    ['two sources of code', { code_path: 'x' }, 'stands beside `code_path`'],
    ['no code', { code_inline: undefined }, 'has no code'],
    ['an image with a runtime', { image: 'x' }, 'goes with the runtime custom only'],
    ['a custom runtime with code', { runtime: 'custom', image: 'x' }, 'code_inline: goes with no image'],
    ['a custom runtime without an image', { runtime: 'custom', code_inline: undefined }, 'has no `image`'],
    [
      'a slip of the fingers',
      { enviroment: {} },
      'enviroment: a function has no such field. Did you mean `environment`?',
    ],
    [
      'another spelling',
      { config: { memoryMb: 1 } },
      'config.memoryMb: `config` has no such field. Did you mean `memory_mb`?',
    ],
    [
      'a number in the environment',
      { environment: { LEVEL: 9 } },
      'environment.LEVEL: is 9. Write it as text, in quotes.',
    ],
    ...['', 'A-B', '1A', 'A B'].map((name): [string, object, string] => [
      `a variable named ${JSON.stringify(name)}`,
      { environment: { [name]: 'x' } },
      `environment.${name}: ${JSON.stringify(name)} is no name of an environment variable. Use letters`,
    ]),
    ['the name of a secret', { secrets: ['db password'] }, 'secrets.0: "db password" is no name of a secret'],
    ['a namespace with a dot', { namespace: 'a.b' }, 'a namespace has no dots'],
    ['a job id', { job_id: -1 }, 'job_id: is no job id'],
    ['a runtime, and no code', { runtime: 'cobol85', code_inline: undefined }, 'has no code'],
    [
      'a runtime, and the template',
      { runtime: 'cobol85', template: 'express' },
      'template: "express" is no template of any runtime',
    ],
    [
      'a runtime, and two sources of code',
      { runtime: 'cobol85', code_path: 'x' },
      'code_inline: stands beside `code_path`',
    ],
    [
      'a scale of gpus',
      { runtime: 'pytorch2.1.2', config: { hardware_type: 'gpu', min_scale: 3, max_scale: 50 } },
      'config.max_scale: is more than 1 on gpu. Use 1.',
    ],
    [
      'a scale of gpus without an end',
      { runtime: 'pytorch2.1.2', config: { hardware_type: 'gpu', min_scale: 0 } },
      'config.min_scale: goes up to a `max_scale` of 5 by default, and to 1 on gpu. Add `max_scale: 1`.',
    ],
  ])('of %s says what, where and what to do', (_, fields, expected) => {
    expect(faultsOf(fields).join('\n')).toContain(expected);
  });

  it('of secrets and outputs is found too', () => {
    const faults = validate({
      functions: { resize: good, other: { ...good, name: 'resize' } },
      secrets: { key: {}, 'bad name': { value_env: 'X' } },
      outputs: { url: 'function.nobody.invoke_url' },
    }).filter(({ severity }) => severity === 'error');
    expect(faults.map(({ path }) => path.join('.'))).toEqual([
      'secrets.key',
      'secrets.bad name',
      'functions.other',
      'outputs.url',
    ]);
  });

  it('of a secret that is written out does not show it', () => {
    const [fault] = validate({ secrets: { key: 'hunter2' } });
    expect(fault).toMatchObject({ path: ['secrets', 'key'], fix: expect.stringContaining('value_env') });
    expect(JSON.stringify(fault)).not.toContain('hunter2');
  });

  it('of two functions with one job id is found, unless they run at different providers', () => {
    const functions = { one: { ...good, job_id: 7 }, two: { ...good, job_id: 7 } };
    expect(validate({ functions }, TODAY)).toMatchObject([{ path: ['functions', 'two', 'job_id'] }]);
    const apart = { ...functions, two: { ...functions.two, provider: 'aws-lambda' } };
    expect(validate({ functions: apart }, TODAY)).toEqual([]);
  });

  it('of two functions with one job id is found, also when one of them names the default provider', () => {
    const functions = { one: { ...good, job_id: 7 }, two: { ...good, job_id: 7, provider: 'custom-http' } };
    expect(validate({ functions }, TODAY)).toMatchObject([{ path: ['functions', 'two', 'job_id'] }]);
    const namesakes = { one: good, two: { ...good, name: 'one', provider: 'custom-http' } };
    expect(validate({ functions: namesakes }, TODAY)).toMatchObject([{ path: ['functions', 'two'] }]);
  });

  it.each([
    [
      'function.one.invoke_ur',
      'a function has no `invoke_ur` that could be an output',
      'Did you mean `invoke_url`?',
    ],
    [
      'function.one.config',
      'a function has no `config` that could be an output',
      'Use one of id, invoke_url,',
    ],
    ['secret.key.value_hash', 'a secret has no `value_hash` that could be an output', 'Use one of id, name,'],
    [
      'function.toString.id',
      '"function.toString.id" names nothing of this file',
      'Use function.KEY.ATTRIBUTE',
    ],
  ])('of the output %s is found', (reference, message, fix) => {
    const file = {
      functions: { one: good },
      secrets: { key: { value_env: 'X' } },
      outputs: { it: reference },
    };
    expect(validate(file, TODAY)).toMatchObject([
      { path: ['outputs', 'it'], message, fix: expect.stringContaining(fix) },
    ]);
  });

  it('of a file that holds itself is no crash, and names the place', () => {
    const environment: Record<string, unknown> = {};
    environment['A'] = environment;
    expect(validate({ functions: { one: { ...good, environment } } }, TODAY)).toEqual([
      expect.objectContaining({
        path: ['functions', 'one', 'environment', 'A'],
        message: 'refers to itself',
      }),
    ]);
    // Said twice is not said of itself.
    const shared = { A: 'x' };
    const twice = { one: { ...good, environment: shared }, two: { ...good, environment: shared } };
    expect(validate({ functions: twice }, TODAY)).toEqual([]);
  });

  it.each([[[]], ['text'], [null], [7]])('of a file that is %j is no crash', (value) => {
    expect(validate(value)).toHaveLength(1);
  });

  it('of a runtime past its end is a warning', () => {
    const faults = validate({ functions: { old: { runtime: 'node18', code_inline: 'x' } } }, TODAY);
    expect(faults).toMatchObject([{ severity: 'warning', path: ['functions', 'old', 'runtime'] }]);
    expect(faults[0]?.fix).toBe('Move to node20.');
    const later = validate(
      { functions: { old: { runtime: 'node20', code_inline: 'x' } } },
      new Date('2026-11-21'),
    );
    expect(later[0]?.fix).toContain('No newer one of its kind is listed here');
  });
});

describe('a file', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'jobferry-source-'));
  });
  afterAll(() => rm(folder, { recursive: true }));
  const noModules = () => Promise.reject(new Error('not a module'));
  const read = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    return readSource(join(folder, name), noModules);
  };

  it('says every fault at once, each with its line', async () => {
    const source = await read(
      'all.yaml',
      'functions:\n  resize:\n    runtime: cobol\n    code_inline: x\n    config:\n      memory_mb: 1\n      replicas: 9\n',
    );
    expect(() => checkSource(source)).toThrow(
      /has 3 faults:\n.*all.yaml:3: .*cobol.*\n.*all.yaml:6: .*memory_mb.*\n.*all.yaml:7: .*replicas/,
    );
  });

  it('in JSON has lines too, and a field that is missing has the line of what lacks it', async () => {
    const source = await read(
      'all.json',
      '{\n "functions": {\n  "resize": {\n   "runtime": "node20"\n  }\n }\n}',
    );
    const [fault] = validate(source.value, TODAY);
    expect(fault === undefined ? '' : describeFault(source, fault)).toMatch(
      /all\.json:3: functions\.resize has no code/,
    );
  });

  it('left empty here and there resolves as if that were left out', async () => {
    const text = 'functions:\n  one:\n    runtime: python3.11\n    code_inline: x\n';
    const empty = `${text}    environment:\n    labels:\n    secrets:\n    config:\nsecrets:\noutputs:\n`;
    const inputs = { codeSha256: new Map(), secretValues: new Map(), secretKey: 'key' };
    const [full, part] = [await read('full.yaml', text), await read('part.yaml', empty)];
    const { declarations } = checkSource(part, TODAY);
    expect(resolveDeclarations(declarations, inputs)).toEqual(
      resolveDeclarations(checkSource(full, TODAY).declarations, inputs),
    );
    expect((await readCodes(declarations, folder, packageFiles)).size).toBe(1);
    expect((await readSecretValues(declarations, folder, {})).size).toBe(0);
    const { declarations: none } = checkSource(await read('nothing.yaml', 'functions:\n'), TODAY);
    expect(resolveDeclarations(none, inputs)).toEqual([]);
    expect((await readCodes(none, folder, packageFiles)).size).toBe(0);
  });

  it('that is empty is said to be', async () => {
    const source = await read('empty.yaml', '');
    expect(() => checkSource(source)).toThrow('the file is empty. Declare functions, secrets, outputs.');
  });

  it('says the line of the key, also where the value begins below it', async () => {
    const text =
      'functions:\n  resize:\n    runtime: python3.11\n    code_inline: x\n    envronment:\n      A: "1"\n';
    const source = await read('key.yaml', text);
    const lines = validate(source.value, TODAY).map((fault) => describeFault(source, fault));
    expect(lines).toEqual([
      expect.stringMatching(/key\.yaml:5: functions\.resize\.envronment .*`environment`/),
    ]);
  });

  it('with a key twice names it and both lines', async () => {
    const text = 'functions:\n  one:\n    runtime: node20\n    runtime: node18\n  one: {}\n';
    await expect(read('twice.yaml', text)).rejects.toThrow(
      /twice\.yaml:4: `runtime` is there already, at line 3\. Keep one.*\n.*twice\.yaml:5: `one` is there already, at line 2/,
    );
  });

  it.each(['UP.YAML', 'UP.Yml', 'UP.JSON'])('is read as it is when it is named %s', async (name) => {
    expect((await read(name, '{"functions": {}}')).value).toEqual({ functions: {} });
  });

  it('that is no YAML is refused with the line', async () => {
    await expect(read('bad.yaml', 'functions:\n  a: [1,\n')).rejects.toThrow(/bad\.yaml:\d+: /);
  });

  it('that is not there is named', async () => {
    await expect(readSource(join(folder, 'none.yaml'), noModules)).rejects.toThrow(
      /none\.yaml cannot be read/,
    );
  });

  it('in TypeScript is imported, and its default export counts', async () => {
    const value = { functions: { resize: good } };
    const source = await readSource(join(folder, 'jobferry.functions.ts'), async () => ({ default: value }));
    expect(checkSource(source, TODAY).declarations).toEqual(value);
  });
});
