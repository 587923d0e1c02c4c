/** A platform of the custom-FaaS spec with one slot per function, in two dialects. */
import { createHash } from 'node:crypto';
import type { Artifact } from '../../src/core/executor.ts';
import type { Reply, Responder, Seen } from './server.ts';

export function zip(text = 'PK'): Artifact {
  const bytes = Buffer.from(text);
  return { format: 'zip', bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

export function configOf({ headers }: Seen): Record<string, unknown> {
  return JSON.parse(Buffer.from(String(headers['x-blueprint-config']), 'base64').toString());
}

export const NOT_FOUND: Reply = {
  status: 404,
  body: { error: 'no such function', code: 'NOT_FOUND', function_id: 'x' },
};

/**
 * A platform with one slot per function. `spec10` is the reference server of spec 1.0: it knows no `replace`, and
 * answers 409 to any second PUT.
 */
export function slots(dialect: 'spec10' | 'jobferry', faults: Record<string, Reply> = {}): Responder {
  const functions = new Map<string, { content: string; record: Record<string, unknown> }>();
  return (seen) => {
    const { method, url, body } = seen;
    const fault = faults[`${method} ${url}`];
    if (fault !== undefined) return fault;
    const { pathname, searchParams } = new URL(url, 'http://x');
    const [, id = '', action = ''] = /^\/api\/functions\/([^/]+)\/?(.*)$/.exec(pathname) ?? [];
    const found = functions.get(id);
    if (method === 'PUT') {
      const content = body.toString() + seen.headers['x-blueprint-config'];
      const same = dialect === 'jobferry' && found?.content === content;
      const replace = dialect === 'jobferry' && searchParams.get('replace') === 'true';
      if (found !== undefined && !same && !replace)
        return { status: 409, body: { error: 'exists', code: 'CONFLICT' } };
      const config = configOf(seen);
      const record: Record<string, unknown> = {
        function_id: id,
        endpoint: `http://platform.test/api/functions/${id}/invoke`,
        status: 'deployed',
        memory_mb: config['memory_mb'],
        timeout_secs: config['timeout_secs'],
        ...(dialect === 'jobferry'
          ? {
              max_concurrency: config['max_concurrency'],
              sha256: createHash('sha256').update(body).digest('hex'),
            }
          : { cold_start_ms: 500 }),
        deployed_at: '2026-11-20T12:00:00Z',
        binary_size_bytes: body.length,
      };
      functions.set(id, { content, record });
      return { body: record };
    }
    if (found === undefined) return NOT_FOUND;
    if (method === 'DELETE') {
      functions.delete(id);
      return { body: { function_id: id, status: 'deleted' } };
    }
    if (action === 'health') return { body: { function_id: id, status: 'healthy', total_invocations: 2 } };
    if (action === 'warm') return { body: { function_id: id, status: 'warm', instances_warmed: 3 } };
    return { body: found.record };
  };
}
