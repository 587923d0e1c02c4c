/** A folder with a file of declarations, and a fake of E2E's API that it is applied to. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type FakeE2e, fakeE2e } from '../fakes/e2e-platform.js';
import { cli, type Ended, folderWith } from './cli.js';

export interface Declared extends AsyncDisposable {
  readonly folder: string;
  readonly fake: FakeE2e;
  readonly env: Record<string, string>;
  /** `jobferry COMMAND f.yaml …` */
  run(command: string, ...args: string[]): Promise<Ended>;
  write(name: string, text: string): Promise<void>;
  read(name: string): Promise<string>;
}

/** @param text of f.yaml */
export async function declared(text: string): Promise<Declared> {
  const folder = await folderWith({ 'f.yaml': text });
  const fake = await fakeE2e();
  const env: Record<string, string> = { SERVICE_API_ENDPOINT: fake.url, SERVICE_AUTH_TOKEN: 'token-1' };
  return {
    folder,
    fake,
    env,
    run: (command, ...args) => cli([command, 'f.yaml', ...args], { cwd: folder, env }),
    write: (name, content) => writeFile(join(folder, name), content),
    read: (name) => readFile(join(folder, name), 'utf8'),
    async [Symbol.asyncDispose]() {
      await fake[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
