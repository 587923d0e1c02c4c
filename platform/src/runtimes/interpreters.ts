/** The interpreters of this machine that managed functions run on: found once, by asking them. */

import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

import { messageOf } from '../domain/errors.js';
import type { Shown } from './sandbox.js';

export type Language = 'node' | 'python';

export interface Interpreter {
  readonly title: string;
  readonly version: string;
  readonly file: string;
  /** What a sandbox must show for it to work, beside the system's folders. */
  readonly shown: readonly Shown[];
}

const PATIENCE_MS = 20_000;
const SYSTEM_PATH = ['/usr/local/bin', '/usr/bin', '/bin'];
/** The real file behind shims and links, and the folder of its library. */
const ASK_PYTHON = `
import json, os, platform, sys
print(json.dumps([platform.python_version(), os.path.realpath(sys.executable), sys.base_prefix]))`;

export class Interpreters {
  #python: Promise<Interpreter | string> | undefined;

  /** @returns the interpreter, or in words why there is none */
  async of(language: Language): Promise<Interpreter | string> {
    if (language === 'node')
      return { title: 'Node.js', version: process.versions.node, file: process.execPath, shown: [] };
    this.#python ??= findPython();
    return this.#python;
  }
}

async function findPython(): Promise<Interpreter | string> {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), ...SYSTEM_PATH];
  const candidates = places.map((place) => join(place, 'python3')).filter(isExecutable);
  let complaint = 'there is no python3 on this machine';
  for (const candidate of new Set(candidates)) {
    try {
      const { stdout } = await promisify(execFile)(candidate, ['-I', '-c', ASK_PYTHON], {
        timeout: PATIENCE_MS,
      });
      const [version = '', file = '', prefix = ''] = JSON.parse(stdout) as string[];
      const isSystem = prefix === '/usr' || prefix.startsWith('/usr/');
      return { title: 'Python', version, file, shown: isSystem ? [] : [{ from: prefix, to: prefix }] };
    } catch (error) {
      complaint = `${candidate} does not work: ${messageOf(error).split('\n')[0]}`;
    }
  }
  return complaint;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
