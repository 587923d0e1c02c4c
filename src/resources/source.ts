/** Reads a file of declarations, with the line of each of its fields. */
import { readFile } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import {
  type Document,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLParseError,
} from 'yaml';
import { FaasError } from '../core/errors.js';
import type { Fault } from './core/fault.js';
import type { Declarations } from './core/model.js';
import { validate } from './core/validate.js';

export interface Source {
  /** Absolute. */
  readonly path: string;
  /** Paths in the file count from here. */
  readonly folder: string;
  readonly value: unknown;
  /** The line, from 1, of the field at a path or of the nearest one around it; undefined for TypeScript. */
  line(path: readonly string[]): number | undefined;
}

export type LoadModule = (file: string) => Promise<Readonly<Record<string, unknown>>>;

/**
 * `.yaml`, `.yml` and `.json` are read as they are; any other file is imported, and its default export counts.
 * @throws {FaasError} CONFIG for a file that is not there or has faults of syntax, with their lines
 */
export async function readSource(file: string, loadModule: LoadModule): Promise<Source> {
  const path = resolve(file);
  const folder = dirname(path);
  if (!['.yaml', '.yml', '.json'].includes(extname(path).toLowerCase())) {
    const { default: value } = await loadModule(path);
    return { path, folder, value, line: () => undefined };
  }
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw config(`${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  });
  const lineCounter = new LineCounter();
  // JSON is YAML, and so its fields have lines too.
  const document = parseDocument(text, { lineCounter, uniqueKeys: true });
  if (document.errors.length > 0) {
    const texts = document.errors.map((error) => syntaxText(error, document, lineCounter));
    throw config(texts.map((text) => `${path}:${text}`).join('\n'));
  }
  const line = (fieldPath: readonly string[]): number | undefined => {
    for (let length = fieldPath.length; length > 0; length -= 1) {
      const node = nodeAt(document, fieldPath.slice(0, length));
      if (node?.range) return lineCounter.linePos(node.range[0]).line;
    }
    return 1;
  };
  return { path, folder, value: document.toJS(), line };
}

/** Where a field begins: at its key. Of a list: the entry. */
function nodeAt(document: Document, path: readonly string[]): Node | undefined {
  const around = document.getIn(path.slice(0, -1), true);
  const key = isMap(around)
    ? around.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === path.at(-1))?.key
    : undefined;
  const node = key ?? document.getIn(path, true);
  return isNode(node) ? node : undefined;
}

/** `LINE: what`; of a key that is there twice, both lines. */
function syntaxText({ code, message, pos, linePos }: YAMLParseError, document: Document, lines: LineCounter) {
  let twice: { readonly key: string; readonly first: number } | undefined;
  if (code === 'DUPLICATE_KEY') {
    visit(document, {
      Map(_, { items }) {
        const keys = items.map((pair) => pair.key).filter((key) => isScalar(key));
        const again = keys.find(({ range }) => range?.[0] === pos[0]);
        const first = keys.find(({ value }) => again !== undefined && value === again.value)?.range?.[0];
        if (again === undefined || first === undefined) return undefined;
        twice = { key: String(again.value), first: lines.linePos(first).line };
        return visit.BREAK;
      },
    });
  }
  const line = linePos?.[0].line ?? 1;
  if (twice === undefined) return `${line}: ${message.split(/\n| at line /, 1)[0]}`;
  return `${line}: \`${twice.key}\` is there already, at line ${twice.first}. Keep one of the two.`;
}

/** @returns its declarations and its warnings; @throws {FaasError} CONFIG that lists every error of the file */
export function checkSource(
  source: Source,
  today?: Date,
): { declarations: Declarations; warnings: string[] } {
  const faults = validate(source.value, today);
  const errors = faults.filter(({ severity }) => severity !== 'warning');
  if (errors.length > 0) {
    const lines = errors.map((fault) => describeFault(source, fault));
    throw config(
      `${source.path} has ${errors.length} ${errors.length === 1 ? 'fault' : 'faults'}:\n${lines.join('\n')}`,
    );
  }
  const warnings = faults.map((fault) => describeFault(source, fault));
  return { declarations: source.value as Declarations, warnings };
}

export function describeFault(source: Source, { path, message, fix }: Fault): string {
  const line = source.line(path);
  const place = line === undefined ? source.path : `${source.path}:${line}`;
  return `${place}: ${path.length === 0 ? 'the file' : path.join('.')} ${message}. ${fix}`;
}

function config(message: string, cause?: unknown): FaasError {
  return new FaasError({ code: 'CONFIG', executed: 'no', message, cause });
}
