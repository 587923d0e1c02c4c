/** What is uploaded as code, what tells that it has changed, and values of secrets as files have them. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { faultsBeside } from '../../src/cli/resources/file-faults.js';
import { inputsOf } from '../../src/cli/resources/providers.js';
import { packageFiles } from '../../src/packaging/zip.js';
import { emptyState, readCodes, readSecretValues, stateToJson, validate } from '../../src/resources/index.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-code-'));
  return () => rm(folder, { recursive: true });
});
const write = (name: string, text: string | Uint8Array) => writeFile(join(folder, name), text);
const declared = (code_path: string, provider: string) => ({
  provider,
  functions: { greet: { runtime: 'node20', code_path } },
});

async function uploaded(): Promise<string[]> {
  let names: string[] = [];
  const own = [join(folder, 'f.yaml'), join(folder, 'my.state')];
  const pack = (files: readonly { readonly path: string; readonly bytes: Uint8Array }[]) => {
    names = files.map(({ path }) => path);
    return packageFiles(files);
  };
  const codes = await readCodes(declared('.', 'e2e-platform'), folder, pack, { own });
  await codes.get('function.greet')?.zip();
  return names;
}
const hashOf = async (code_path: string, provider: string) =>
  (await readCodes(declared(code_path, provider), folder, packageFiles, { inputsOf })).get('function.greet')
    ?.sha256;

describe('the folder of a function', () => {
  it('is uploaded without the state, plans, the declarations, variables and what .jobferryignore says', async () => {
    const state = stateToJson(emptyState());
    for (const name of ['jobferry.state.json', 'jobferry.state.json.backup', 'moved.json']) {
      await write(name, state);
    }
    await write('p.json', '{\n  "version": 1,\n  "serial": 3,\n  "lineage": "a",\n  "digest": "b"\n}\n');
    for (const name of [
      '.env',
      '.env.local',
      '.envrc',
      'f.yaml',
      'my.state',
      'my.state.lock',
      'jobferry.functions.yaml',
    ]) {
      await write(name, 'secret');
    }
    await mkdir(join(folder, 'lib/deep'), { recursive: true });
    for (const name of [
      'handler.js',
      'data.json',
      '.environment',
      'lib/a.log',
      'lib/deep/b.js',
      'lib/c.js',
    ]) {
      await write(name, '1');
    }
    await write('.jobferryignore', '# not these\n*.log\nlib/deep/\n');
    expect(await uploaded()).toEqual(['data.json', 'handler.js', 'lib/c.js']);
  });

  it('is followed along links inside of it, and refused with a link that leads out', async () => {
    await mkdir(join(folder, 'lib'));
    await write('lib/a.js', '1');
    await write('.env', 'secret');
    await symlink('lib', join(folder, 'same'));
    await symlink('lib/a.js', join(folder, 'one.js'));
    await symlink('.env', join(folder, 'innocent'));
    expect(await uploaded()).toEqual(['lib/a.js', 'one.js', 'same/a.js']);
    await symlink('/etc/passwd', join(folder, 'users'));
    await expect(uploaded()).rejects.toThrow(
      /users links to \/etc\/passwd, outside of the folder.*jobferryignore/,
    );
    await rm(join(folder, 'users'));
    await symlink('..', join(folder, 'lib/up'));
    await expect(uploaded()).rejects.toThrow(/lib\/up links to a folder around it/);
  });
});

describe('code that an executor bundles', () => {
  it.each(['greet.ts', '.'])('has changed when something that it imports has: %s', async (path) => {
    const entry = "import { word } from './lib.ts';\nexport default () => word;\n";
    await write('greet.ts', entry);
    await write('index.ts', entry);
    await write('lib.ts', "export const word = 'hello';\n");
    const before = await hashOf(path, 'custom-http');
    expect(await hashOf(path, 'custom-http')).toBe(before);
    await write('unused.ts', 'export {};\n');
    expect(await hashOf(path, 'custom-http')).toBe(before);
    await write('lib.ts', "export const word = 'bye';\n");
    expect(await hashOf(path, 'custom-http')).not.toBe(before);
  });

  it('is looked at also when a package is missing, and says its faults at once', async () => {
    await write(
      'greet.ts',
      "import x from 'no-such-package';\nimport './lib.ts';\nexport default () => x;\n",
    );
    await write('lib.ts', '1;\n');
    const before = await hashOf('greet.ts', 'custom-http');
    await write('lib.ts', '2;\n');
    expect(await hashOf('greet.ts', 'custom-http')).not.toBe(before);
    await write('greet.ts', 'export default (');
    await expect(hashOf('greet.ts', 'custom-http')).rejects.toThrow(/function\.greet.*greet\.ts/s);
  });
});

describe('the value of a secret', () => {
  const read = () => readSecretValues({ secrets: { key: { value_file: 'key' } } }, folder, {});

  it('is text, and never changed on its way', async () => {
    await write('key', '\u{feff}päss\n');
    expect((await read()).get('secret.key')).toBe('\u{feff}päss');
    await write('key', Uint8Array.from([0x61, 0xff, 0xfe, 0x00]));
    await expect(read()).rejects.toThrow(/secret\.key.*is no text in UTF-8/);
    await write('key', '\n');
    await expect(read()).rejects.toThrow(/secret\.key.*which is empty/);
  });

  it('that stands where the name of a variable belongs is not shown', () => {
    const faults = validate({ secrets: { key: { value_env: 'hunter-2' }, other: { value_env: 5512 } } });
    expect(faults).toMatchObject([
      { path: ['secrets', 'key', 'value_env'], message: 'is no name of an environment variable' },
      { path: ['secrets', 'other', 'value_env'], message: 'is no name of an environment variable' },
    ]);
    expect(JSON.stringify(faults)).not.toMatch(/hunter|5512/);
  });
});

describe('what is said of the values of secrets beside the file', () => {
  it('names no value, and says what is wrong with a file', async () => {
    await write('key', Uint8Array.from([0xff]));
    const declarations = {
      secrets: {
        one: { value_env: 'hunter-2' },
        two: { value_file: 'key' },
        three: { value_env: 'NOT_SET' },
      },
    };
    const faults = await faultsBeside(declarations, folder, {});
    expect(faults.map(({ path, message }) => [path[1], message])).toEqual([
      ['two', expect.stringMatching(/takes its value from .*key, which is no text in UTF-8/)],
      ['three', 'names the variable NOT_SET, which is not set here'],
    ]);
  });
});
