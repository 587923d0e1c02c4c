import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { CallScope } from '../../src/core/scope.ts';
import type { AuthOptions } from '../../src/executors/custom-http/index.ts';
import {
  call,
  cancelWith,
  executorFor,
  failureOf,
  jobCall,
  ok,
  pause,
  type Reply,
  type Responder,
  serve,
  until,
} from './server.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

const REFUSED: Reply = { status: 401, body: { error: 'who are you?', code: 'UNAUTHORIZED' } };

/** A platform that takes only tokens of `valid`, and the server that gives them. */
async function guarded(options: { token?: Responder; auth?: (tokenUrl: string) => AuthOptions } = {}) {
  let issued = 0;
  const valid = new Set<string>();
  const tokens = await serve(
    options.token ??
      (async () => {
        // Slow, so that calls which come together wait together.
        await pause(50);
        issued += 1;
        const token = `token-${issued}`;
        valid.add(`Bearer ${token}`);
        return { body: { access_token: token, token_type: 'Bearer', expires_in: 3600 } };
      }),
  );
  const server = await serve(({ headers }) => (valid.has(String(headers.authorization)) ? ok() : REFUSED));
  const tokenUrl = `${tokens.url}/oauth/token?tenant=1`;
  const auth = options.auth?.(tokenUrl) ?? {
    oauth2: {
      tokenUrl,
      clientId: 'me:&',
      clientSecret: 's3cr3t/+=',
      scope: 'jobs:run',
      audience: 'platform',
    },
  };
  const executor = executorFor(server, { auth });
  open.push(tokens, server, executor);
  return { tokens, server, executor, valid };
}

describe('a bearer token', () => {
  it('goes with every request', async () => {
    const { server, executor, valid } = await guarded({ auth: () => ({ bearer: 'fixed' }) });
    valid.add('Bearer fixed');
    await call(executor);
    await executor.healthCheck(7);
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer fixed',
      'Bearer fixed',
    ]);
  });

  it('that is wrong is AUTH after one request', async () => {
    const { server, executor } = await guarded({ auth: () => ({ bearer: 'wrong' }) });
    const error = await failureOf(call(executor));
    expect([error.code, error.executed, error.status]).toEqual(['AUTH', 'no', 401]);
    expect(server.requests).toHaveLength(1);
  });

  it('from a function is asked for each time, and once more after a 401', async () => {
    let asked = 0;
    const { server, executor, valid } = await guarded({
      auth: () => ({
        bearer: async () => {
          asked += 1;
          return `fn-${asked}`;
        },
      }),
    });
    valid.add('Bearer fn-2').add('Bearer fn-3');
    await call(executor);
    await call(executor);
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer fn-1',
      'Bearer fn-2',
      'Bearer fn-3',
    ]);
  });

  it('from a function that has no other is not sent twice', async () => {
    const { server, executor } = await guarded({ auth: () => ({ bearer: () => 'same' }) });
    expect((await failureOf(call(executor))).code).toBe('AUTH');
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('vault is sealed');
      },
      'AUTH',
    ],
    ['rejects', () => Promise.reject(new Error('vault is sealed')), 'AUTH'],
    ['gives nothing', () => '', 'CONFIG'],
    ['gives a line end', () => Promise.resolve('a\nb'), 'CONFIG'],
  ])('from a function that %s: no request is made', async (_title, bearer, code) => {
    const { server, executor } = await guarded({ auth: () => ({ bearer }) });
    const error = await failureOf(call(executor));
    expect([error.code, error.executed]).toEqual([code, 'no']);
    expect(server.requests).toEqual([]);
  });

  it('from a function that never answers does not outlive the call', async () => {
    const { executor } = await guarded({ auth: () => ({ bearer: () => new Promise<string>(() => {}) }) });
    const scope = new CallScope();
    const outcome = failureOf(executor.invoke(jobCall(), scope));
    scope.cancel(cancelWith('TIMEOUT'));
    expect([(await outcome).code, (await outcome).executed]).toEqual(['TIMEOUT', 'no']);
  });
});

describe('OAuth 2.0 client credentials', () => {
  it('asks once for 1,000 calls that come together', async () => {
    const { tokens, server, executor } = await guarded();
    await Promise.all(Array.from({ length: 1000 }, () => call(executor)));
    expect(tokens.requests).toHaveLength(1);
    expect(server.requests).toHaveLength(1000);
    const [{ method, url, headers, body } = expect.fail()] = tokens.requests;
    expect([method, url]).toEqual(['POST', '/oauth/token?tenant=1']);
    expect(headers['content-type']).toBe('application/x-www-form-urlencoded');
    const basic = Buffer.from(String(headers.authorization).slice('Basic '.length), 'base64').toString();
    expect(basic).toBe('me%3A%26:s3cr3t%2F%2B%3D');
    expect(Object.fromEntries(new URLSearchParams(body.toString()))).toEqual({
      grant_type: 'client_credentials',
      scope: 'jobs:run',
      audience: 'platform',
    });
  });

  it('asks once more for 1,000 calls that are refused together', async () => {
    const { tokens, executor, valid } = await guarded();
    await call(executor);
    valid.clear();
    const outcomes = await Promise.all(Array.from({ length: 1000 }, () => call(executor)));
    expect(outcomes).toHaveLength(1000);
    expect(tokens.requests).toHaveLength(2);
  });

  it('does not go round in circles when the fresh token is refused too', async () => {
    const { tokens, server, executor } = await guarded({
      token: () => ({ body: { access_token: `t-${Math.random()}`, token_type: 'bearer' } }),
    });
    const error = await failureOf(call(executor));
    expect([error.code, error.executed]).toEqual(['AUTH', 'no']);
    expect([tokens.requests.length, server.requests.length]).toEqual([2, 2]);
  });

  it('renews a token before it expires', async () => {
    let issued = 0;
    const { tokens, executor, valid } = await guarded({
      token: () => {
        issued += 1;
        valid.add(`Bearer t-${issued}`);
        return { body: { access_token: `t-${issued}`, token_type: 'Bearer', expires_in: 0.4 } };
      },
    });
    await call(executor);
    await call(executor);
    expect(tokens.requests).toHaveLength(1);
    await pause(250);
    await call(executor);
    expect(tokens.requests).toHaveLength(2);
  });

  it('keeps a token without a stated life until it is refused', async () => {
    const { tokens, executor, valid } = await guarded({ token: () => ({ body: { access_token: 'long' } }) });
    valid.add('Bearer long');
    await call(executor);
    await call(executor);
    expect(tokens.requests).toHaveLength(1);
  });

  it.each([
    [
      'refuses',
      { status: 401, body: { error: 'invalid_client', error_description: 's3cr3t/+=' } },
      'AUTH',
      'invalid_client',
    ],
    ['answers with no JSON', { body: 's3cr3t/+=' }, 'AUTH', 'tokenUrl'],
    [
      'answers with another kind of token',
      { body: { access_token: 'x', token_type: 'mac' } },
      'AUTH',
      'tokenUrl',
    ],
    ['redirects', { status: 302, headers: { location: 'http://127.0.0.1:9/' } }, 'AUTH', '302'],
    ['cannot work now', { status: 503, body: '' }, 'UNAVAILABLE', '503'],
  ] satisfies [string, Reply, string, string][])(
    'a token endpoint that %s: the call did not run',
    async (_title, reply, code, text) => {
      const { server, executor } = await guarded({ token: () => reply });
      const error = await failureOf(call(executor));
      expect([error.code, error.executed]).toEqual([code, 'no']);
      expect(error.message).toContain(text);
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('s3cr3t');
      expect(server.requests).toEqual([]);
    },
  );

  it('a failed token request is not remembered', async () => {
    let broken = true;
    const { executor, valid } = await guarded({
      token: () => (broken ? { status: 500 } : { body: { access_token: 'good', token_type: 'Bearer' } }),
    });
    valid.add('Bearer good');
    expect((await failureOf(call(executor))).code).toBe('UNAVAILABLE');
    broken = false;
    expect((await call(executor)).result).toHaveLength(3);
  });

  it('one caller that gives up does not take the token from the others', async () => {
    const { tokens, executor } = await guarded();
    const scope = new CallScope();
    const quitter = failureOf(executor.invoke(jobCall(), scope));
    const other = call(executor);
    await until(() => tokens.requests.length === 1);
    scope.cancel(cancelWith());
    expect([(await quitter).code, (await quitter).executed]).toEqual(['CANCELLED', 'no']);
    expect((await other).result).toHaveLength(3);
    expect(tokens.requests).toHaveLength(1);
  });

  it('an unreachable token endpoint: the call did not run', async () => {
    const gone = await serve(() => ok());
    await gone[Symbol.asyncDispose]();
    const { executor } = await guarded({
      auth: () => ({ oauth2: { tokenUrl: `${gone.url}/t`, clientId: 'a', clientSecret: 'b' } }),
    });
    const error = await failureOf(call(executor));
    expect([error.code, error.executed]).toEqual(['UNAVAILABLE', 'no']);
  });
});
