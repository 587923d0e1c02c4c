/** The functions that answer HTTP, as rows of the record file; what their owners chose is one column of JSON. */

import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';

import type { WebFunction, WebFunctionSpec } from '../domain/web-function.js';

export interface WebFunctionStore {
  get(id: string): WebFunction | undefined;
  find(namespace: string, name: string): WebFunction | undefined;
  /** In the order of namespaces and names. */
  list(): WebFunction[];
  put(record: WebFunction): void;
  delete(id: string): void;
  /** Does any function use this code? */
  usesCode(code: string): boolean;
}

export function webFunctionStoreOn(database: DatabaseSync): WebFunctionStore {
  const list = database.prepare('SELECT * FROM web_functions');
  const put = database.prepare(`
    INSERT INTO web_functions VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET version = excluded.version, spec = excluded.spec, updated_at = excluded.updated_at`);
  const remove = database.prepare('DELETE FROM web_functions WHERE id = ?');
  // Every request asks for its function, so the few there are stay in memory; SQLite stays the truth behind them.
  const records = new Map(list.all().map((row) => [String(row['id']), toRecord(row)]));
  const all = (): WebFunction[] => [...records.values()];
  return {
    get: (id) => records.get(id),
    find: (namespace, name) => all().find((one) => one.namespace === namespace && one.name === name),
    list: () => all().toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1)),
    put(record) {
      const { id, namespace, name, version, createdAt, updatedAt, ...spec } = record;
      put.run(id, namespace, name, version, JSON.stringify(spec), createdAt, updatedAt);
      records.set(id, record);
    },
    delete(id) {
      remove.run(id);
      records.delete(id);
    },
    usesCode: (code) => all().some((one) => one.code === code),
  };
}

function orderOf({ namespace, name }: WebFunction): string {
  return `${namespace}\n${name}`;
}

function toRecord(row: Record<string, SQLOutputValue>): WebFunction {
  return {
    ...(JSON.parse(String(row['spec'])) as WebFunctionSpec),
    id: String(row['id']),
    namespace: String(row['namespace']),
    name: String(row['name']),
    version: Number(row['version']),
    createdAt: String(row['created_at']),
    updatedAt: String(row['updated_at']),
  };
}
