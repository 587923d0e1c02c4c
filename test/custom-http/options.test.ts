import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { FaasError } from '../../src/core/errors.ts';
import { HttpFaasExecutor, type HttpFaasExecutorOptions } from '../../src/executors/custom-http/index.ts';
import { call, failureOf } from './server.ts';

const baseUrl = 'http://127.0.0.1:8080';

function refusal(options: unknown): FaasError {
  try {
    new HttpFaasExecutor(options as HttpFaasExecutorOptions);
  } catch (error) {
    if (FaasError.is(error)) return error;
    throw error;
  }
  throw new Error('the options were accepted');
}

describe('origin-defects 0.11: every option is honoured or refused by name', () => {
  it.each([
    ['no options', undefined, 'baseUrl'],
    ['no base URL', {}, 'baseUrl'],
    ['a relative base URL', { baseUrl: '/api' }, 'baseUrl'],
    ['a base URL of another scheme', { baseUrl: 'ftp://host' }, 'baseUrl'],
    ['a base URL with a query', { baseUrl: `${baseUrl}?key=SECRET` }, 'baseUrl'],
    ['a base URL with credentials', { baseUrl: 'http://user:SECRET@host' }, 'baseUrl'],
    ['an option that does not exist', { baseUrl, timeout: 1 }, 'timeout'],
    ['an api that does not exist', { baseUrl, api: 'v2' }, 'api'],
    ['a spec that does not exist', { baseUrl, spec: '2.0' }, 'spec'],
    ['a mode that does not exist', { baseUrl, mode: 'later' }, 'mode'],
    ['a mode that is nothing', { baseUrl, mode: null }, 'mode'],
    ['a mode without a number', { baseUrl, mode: { asyncAboveMs: '5' } }, 'mode'],
    ['a negative time', { baseUrl, mode: { asyncAboveMs: -1 } }, 'mode'],
    ['an async mode of spec 1.0', { baseUrl, mode: 'async', spec: '1.0' }, 'mode'],
    ['an async mode with endpoints', { baseUrl, mode: 'async', endpoints: { 1: baseUrl } }, 'endpoints'],
    ['an endpoint that is no URL', { baseUrl, endpoints: { 1: 'SECRET' } }, 'endpoints[1]'],
    ['an endpoint with credentials', { baseUrl, endpoints: { 1: 'http://u:SECRET@host' } }, 'endpoints[1]'],
    ['an endpoint of no job', { baseUrl, endpoints: { x: baseUrl } }, 'Job id'],
    ['a header this client writes', { baseUrl, headers: { 'Content-Type': 'SECRET' } }, 'content-type'],
    ['a header of the protocol', { baseUrl, headers: { 'X-Faas-Attempt': 'SECRET' } }, 'x-faas-attempt'],
    ['a header with a line end', { baseUrl, headers: { 'x-a': 'SECRET\r\nx-b: 1' } }, 'x-a'],
    ['a header name with a blank', { baseUrl, headers: { 'x a': 'SECRET' } }, 'headers'],
    [
      'two Authorizations',
      { baseUrl, auth: { bearer: 'SECRET' }, headers: { Authorization: 'SECRET' } },
      'auth',
    ],
    ['an empty token', { baseUrl, auth: { bearer: '' } }, 'auth'],
    ['a token with a line end', { baseUrl, auth: { bearer: 'SECRET\n' } }, 'bearer'],
    [
      'OAuth without an id',
      { baseUrl, auth: { oauth2: { tokenUrl: baseUrl, clientId: '', clientSecret: 'SECRET' } } },
      'clientId',
    ],
    [
      'OAuth with a bad URL',
      { baseUrl, auth: { oauth2: { tokenUrl: 'SECRET', clientId: 'a', clientSecret: 'b' } } },
      'tokenUrl',
    ],
    ['no connections', { baseUrl, connections: 0 }, 'connections'],
    ['half a millisecond', { baseUrl, connectTimeoutMs: 0.5 }, 'connectTimeoutMs'],
    ['endless replies', { baseUrl, maxResponseBytes: Infinity }, 'maxResponseBytes'],
    ['a dispatcher and tls', { baseUrl, dispatcher: {}, tls: { ca: 'SECRET' } }, 'dispatcher'],
  ])('%s', (_title, options, name) => {
    const error = refusal(options);
    expect([error.code, error.executed]).toEqual(['CONFIG', 'no']);
    expect(error.message).toContain(name);
    expect(inspect(error)).not.toContain('SECRET');
  });

  it.each(['Job7', '-job', 'job_7', '', 'a/b', '../x', 'x'.repeat(64), 7])(
    'a function name of %j is refused',
    async (name) => {
      const executor = new HttpFaasExecutor({ baseUrl, functionName: () => name as string });
      expect((await failureOf(call(executor))).code).toBe('CONFIG');
    },
  );

  it('a functionName that throws is named', async () => {
    const executor = new HttpFaasExecutor({
      baseUrl,
      functionName: () => {
        throw new Error('boom');
      },
    });
    expect((await failureOf(call(executor))).message).toContain('functionName');
  });

  it('states its limits as data, with a date and a source', () => {
    const executor = new HttpFaasExecutor({
      baseUrl,
      limits: { maxPayloadBytes: 5, timeoutSecs: { min: 1, max: 60 } },
    });
    expect(executor.provider).toBe('custom-http');
    expect(executor.limits).toMatchObject({
      maxPayloadBytes: 5,
      timeoutSecs: { min: 1, max: 60 },
      memoryMb: { min: 128, max: 10_240, step: 64 },
      maxConcurrency: { min: 1, max: 1000 },
    });
    expect(executor.limits.asOf).toMatch(/^\d{4}-\d\d-\d\d$/);
  });
});
