/** The standard agrees with itself: text, openapi.yaml, schemas, fixtures and suite. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { codesByStatus } from '../../src/conformance/sections/errors.js';
import { SECTIONS } from '../../src/conformance/sections/index.js';
import { sentence, sentenceLines } from '../../src/conformance/sentences.js';
import { FEATURES } from '../../src/conformance/types.js';
import { modelPlatform } from './platform/index.js';

const spec = fileURLToPath(new URL('../../spec/', import.meta.url));
const read = (name: string): string => readFileSync(`${spec}${name}`, 'utf8');
const jsonIn = (folder: string): [string, unknown][] =>
  readdirSync(`${spec}${folder}`).map((name) => [name, JSON.parse(read(`${folder}/${name}`))]);

const text = read('custom-faas-platform.md');
const schemas = new Map(jsonIn('schemas'));
const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false, allErrors: true });
ajv.addFormat(
  'date-time',
  (value: string) => /T.*(Z|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value)),
);
ajv.addFormat('uri', (value: string) => URL.canParse(value));
for (const schema of schemas.values()) ajv.addSchema(schema as object);

interface Body {
  readonly schema?: string;
  readonly json?: unknown;
  readonly base64?: string;
  readonly text?: string;
}

interface Exchange {
  readonly name: string;
  readonly request: { method: string; path: string; headers: Record<string, string>; body?: Body };
  readonly reply: { status: number; headers: Record<string, string>; body?: Body };
  readonly config?: unknown;
}

const fixtures = jsonIn('fixtures').flatMap(([file, fixture]) =>
  (fixture as { exchanges: Exchange[] }).exchanges.map((exchange) => ({
    file,
    title: `${file}: ${exchange.name}`,
    ...exchange,
  })),
);

interface Row {
  readonly status: number;
  readonly code: string;
  readonly executed: string;
}

const table: Row[] = [...text.matchAll(/^\| (\d{3}) \| ([A-Z_]+) \| ([^|]+) \|/gm)].map(
  ([, status, code = '', executed = '']) => ({ status: Number(status), code, executed }),
);

function errorsOf(schema: string, value: unknown): unknown {
  const validate = ajv.getSchema(`${schema}.json`);
  if (validate === undefined) throw new Error(`there is no schema ${schema}`);
  return validate(value) ? [] : validate.errors;
}

describe('the text', () => {
  const sentences = [...text.matchAll(/^- \*\*\[([A-Z]+-\d+\*?)\]\*\* (.*)$/gm)];

  it('is what the suite quotes, word for word', () => {
    expect(sentences.map(([, id, words]) => `${id} ${words?.replaceAll('`', '')}`)).toEqual(sentenceLines());
  });

  it('names each sentence once, and each says MUST, SHOULD or MAY', () => {
    const ids = sentences.map(([, id = '']) => id.replace('*', ''));
    expect(new Set(ids).size).toBe(ids.length);
    for (const [whole] of sentences) expect(whole).toMatch(/MUST|SHOULD|MAY/);
  });

  it('refers only to sentences that are there', () => {
    for (const [, id = ''] of text.matchAll(/\b([A-Z]{3}-\d+)\b/g)) {
      if (/^(RFC|UTF|SHA)-/.test(id)) continue;
      expect(() => sentence(id)).not.toThrow();
    }
  });

  it('lists the features the suite knows', () => {
    const listed = /`features` MUST list exactly what is offered: ([^.]+)\./.exec(text)?.[1] ?? '';
    expect(listed.split(', ').map((name) => name.replaceAll('`', ''))).toEqual([...FEATURES]);
  });
});

describe('the suite', () => {
  const cases = SECTIONS.flatMap(({ cases }) => cases);

  it('has at least 120 cases, each with a number of its own in its section', () => {
    expect(cases.length).toBeGreaterThanOrEqual(120);
    expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
    for (const section of SECTIONS)
      for (const { id } of section.cases) expect(id).toMatch(new RegExp(`^${section.name}-\\d\\d$`));
  });

  it('cites only sentences of the standard', () => {
    for (const { cites } of cases) expect(sentence(cites).id).toBe(cites);
  });

  it('checks every MUST and SHOULD that can be observed over HTTP, and none that cannot', () => {
    const cited = new Set(cases.map(({ cites }) => cites));
    const lines = sentenceLines().map((line) => line.split(' ')[0] ?? '');
    expect(lines.filter((id) => !id.endsWith('*') && !cited.has(id))).toEqual([]);
    expect(lines.filter((id) => id.endsWith('*') && cited.has(id.slice(0, -1)))).toEqual([]);
  });

  it('knows the error table', () => {
    const known = Object.entries(codesByStatus()).flatMap(([status, codes]) =>
      codes.map((code) => [Number(status), code]),
    );
    expect(known).toEqual(table.map(({ status, code }) => [status, code]));
  });
});

describe('the schemas', () => {
  it.each([...schemas.keys()])('%s is valid JSON Schema', (name) => {
    expect(ajv.getSchema(name)).toBeTypeOf('function');
  });

  it('name the error codes of the table, all and no other', () => {
    const { properties } = schemas.get('error.json') as { properties: { code: { enum: string[] } } };
    expect(properties.code.enum).toEqual(table.map(({ code }) => code));
  });

  it.each([
    ['config', { memory_mb: 100 }],
    ['call', { job_id: -1, args: [] }],
    ['call', { job_id: 1, args: [256] }],
    ['error', { error: 'x', code: 'NO_SUCH_CODE', details: {} }],
    [
      'invocation',
      {
        invocation_id: 'a',
        function_id: 'f',
        job_id: 1,
        status: 'completed',
        attempts: 1,
        created_at: '2026-01-01T00:00:00Z',
        executed: 'yes',
      },
    ],
  ])('%s refuses what is wrong: %j', (schema, value) => {
    expect(errorsOf(schema, value)).not.toEqual([]);
  });
});

it('the schema of an invocation takes what other doors call a function', () => {
  const record = { invocation_id: 'a', function_id: 'hello.openfaas-fn', job_id: 0, status: 'pending' };
  const more = { attempts: 0, created_at: '2026-01-01T00:00:00Z', executed: 'no' };
  expect(errorsOf('invocation', { ...record, ...more })).toEqual([]);
});

describe('openapi.yaml', () => {
  const openapi = parse(read('openapi.yaml')) as { openapi: string; paths: Record<string, object> };

  it('is OpenAPI 3.1 whose references all resolve', () => {
    expect(openapi.openapi).toMatch(/^3\.1\./);
    const references = [...JSON.stringify(openapi).matchAll(/"\$ref":"([^"]+)"/g)].map(
      ([, target = '']) => target,
    );
    expect(references.length).toBeGreaterThan(50);
    for (const target of references) {
      if (target.startsWith('schemas/'))
        expect([...schemas.keys()]).toContain(target.slice('schemas/'.length));
      else expect(resolve(openapi, target)).toBeTypeOf('object');
    }
  });

  it('has an operation, with an id of its own, for every endpoint of the text', () => {
    const operations = Object.values(openapi.paths).flatMap((item) =>
      Object.values(item).flatMap((operation) => (hasId(operation) ? [operation.operationId] : [])),
    );
    expect(new Set(operations).size).toBe(operations.length);
    expect(Object.keys(openapi.paths).toSorted()).toEqual(
      [
        '/api',
        '/api/functions',
        '/api/functions/{function_id}',
        ...['health', 'invoke', 'logs', 'warm'].map((part) => `/api/functions/{function_id}/${part}`),
        '/api/invocations',
        '/api/invocations/{invocation_id}',
        ...['cancel', 'result'].map((part) => `/api/invocations/{invocation_id}/${part}`),
        '/job/{n}',
      ].toSorted(),
    );
  });

  it('has HEAD wherever it has GET', () => {
    const withGet = Object.entries(openapi.paths).filter(([, item]) => 'get' in item);
    expect(withGet.length).toBeGreaterThan(5);
    for (const [path, item] of withGet) expect([path, 'head' in item]).toEqual([path, true]);
  });

  it('declares every parameter of a path', () => {
    for (const [path, item] of Object.entries(openapi.paths)) {
      for (const [, name] of path.matchAll(/\{([a-z_]+)\}/g)) {
        const { parameters = [] } = item as { parameters?: { $ref?: string; name?: string }[] };
        const names = parameters.map((parameter) =>
          parameter.$ref === undefined
            ? parameter.name
            : (resolve(openapi, parameter.$ref) as { name: string }).name,
        );
        expect(names).toContain(name);
      }
    }
  });
});

describe('the fixtures', () => {
  it.each(fixtures)('$title is as the schemas say', ({ request, reply, config }) => {
    for (const body of [request.body, reply.body]) {
      if (body?.schema !== undefined) expect(errorsOf(body.schema, body.json)).toEqual([]);
    }
    if (reply.status >= 400) expect(reply.body?.schema).toBe('error');
    if (config !== undefined) {
      const header = Buffer.from(request.headers['x-blueprint-config'] ?? '', 'base64').toString();
      expect(JSON.parse(header)).toEqual(config);
      expect(errorsOf('config', config)).toEqual([]);
    }
  });

  it('have one exchange for each row of the error table, with its status and executed', () => {
    const rows = fixtures
      .filter(({ file }) => file === 'errors.json')
      .map(({ reply }) => {
        const body = reply.body?.json as { code: string; executed: string } | undefined;
        return { status: reply.status, code: body?.code, executed: body?.executed };
      });
    // TIMEOUT has two; the other one is in async.json.
    expect(rows).toEqual(table.map((row) => ({ ...row, executed: row.executed.split(',')[0]?.trim() })));
  });

  it('hold no bytes, all bytes, and bytes that are no UTF-8, in both encodings', () => {
    for (const file of ['payloads.json', 'binary.json']) {
      const names = fixtures.filter((fixture) => fixture.file === file).map(({ name }) => name);
      for (const what of ['no bytes', 'every value from 0 to 255', 'bytes that are no UTF-8'])
        expect(names.some((name) => name.startsWith(what))).toBe(true);
    }
  });

  it('are what the model platform answers: configuration headers, payloads and binary calls', async () => {
    await using platform = await modelPlatform();
    const configured = fixtures.filter(({ file }) => file === 'config-headers.json');
    const calls = fixtures.filter(({ file }) => ['payloads.json', 'binary.json'].includes(file));
    for (const { title, request, reply } of [...configured, ...calls]) {
      // What a function says of itself is not in the one that echoes.
      if (title.includes('metadata')) continue;
      const { method, path, headers } = request;
      const response = await fetch(`${platform.url}${path}`, {
        method,
        headers,
        body: bytesOf(request.body),
      });
      const body = Buffer.from(await response.arrayBuffer());
      expect([title, response.status]).toEqual([title, reply.status]);
      if (reply.body?.base64 !== undefined) expect(body.equals(bytesOf(reply.body))).toBe(true);
      const expected = reply.body?.json as Record<string, unknown> | undefined;
      const seen = expected && (JSON.parse(body.toString()) as Record<string, unknown>);
      for (const field of [
        'code',
        'executed',
        'job_id',
        'result',
        'success',
        'memory_mb',
        'timeout_secs',
        'sha256',
      ])
        if (expected && field in expected)
          expect([title, field, seen?.[field]]).toEqual([title, field, expected[field]]);
    }
  });
});

function bytesOf(body: Body | undefined): Buffer<ArrayBuffer> {
  if (body?.base64 !== undefined) return Buffer.from(body.base64, 'base64');
  return Buffer.from(body?.text ?? JSON.stringify(body?.json) ?? '');
}

function resolve(root: object, reference: string): unknown {
  return reference
    .replace(/^#\//, '')
    .split('/')
    .reduce<unknown>((value, key) => (value as Record<string, unknown>)?.[key], root);
}

function hasId(operation: unknown): operation is { operationId: string } {
  return typeof operation === 'object' && operation !== null && 'operationId' in operation;
}
