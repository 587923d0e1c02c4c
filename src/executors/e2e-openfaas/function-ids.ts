/**
 * Where the ids of functions are kept for an API that finds functions by id alone. A create is noted before it is
 * sent, so that one whose answer was lost is never made a second time.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** `creating`: a create was sent and nobody knows what became of it. */
export type FunctionId = { readonly id: string } | { readonly creating: true };

export interface FunctionIds {
  get(functionName: string): Promise<FunctionId | undefined>;
  /** All that are known, by function name. */
  list(): Promise<Readonly<Record<string, FunctionId>>>;
  set(functionName: string, id: FunctionId): Promise<void>;
  delete(functionName: string): Promise<void>;
}

/** Lost with the process. */
export function memoryFunctionIds(): FunctionIds {
  const ids = new Map<string, FunctionId>();
  return {
    get: async (functionName) => ids.get(functionName),
    list: async () => Object.fromEntries(ids),
    set: async (functionName, id) => void ids.set(functionName, id),
    delete: async (functionName) => void ids.delete(functionName),
  };
}

/**
 * In a JSON file, written whole and put in place by a rename: a process that dies leaves the old one or the new one.
 * For one process at a time.
 */
export function fileFunctionIds(path: string): FunctionIds {
  let turn: Promise<unknown> = Promise.resolve();
  const read = async (): Promise<Record<string, FunctionId>> => {
    try {
      return JSON.parse(await readFile(path, 'utf8')) as Record<string, FunctionId>;
    } catch (error) {
      if ((error as { code?: string }).code === 'ENOENT') return {};
      throw error;
    }
  };
  const change = (work: (ids: Record<string, FunctionId>) => void): Promise<void> => {
    const done = turn.then(async () => {
      const ids = await read();
      work(ids);
      await mkdir(dirname(path), { recursive: true });
      const next = `${path}.${process.pid}.tmp`;
      await writeFile(next, `${JSON.stringify(ids, undefined, 2)}\n`);
      await rename(next, path);
    });
    turn = done.catch(() => {});
    return done;
  };
  return {
    get: async (functionName) => (await read())[functionName],
    list: read,
    set: (functionName, id) =>
      change((ids) => {
        ids[functionName] = id;
      }),
    delete: (functionName) =>
      change((ids) => {
        delete ids[functionName];
      }),
  };
}
