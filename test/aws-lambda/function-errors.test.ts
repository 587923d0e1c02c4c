import { describe, expect, it } from 'vitest';
import { functionFailure } from '../../src/executors/aws-lambda/function-errors.js';
import type { LambdaReport } from '../../src/executors/aws-lambda/report.js';

const PLACE = {
  provider: 'aws-lambda',
  functionName: 'job',
  origin: 'https://lambda.eu-central-1.amazonaws.com',
};

function failure(payload: object | string, report?: LambdaReport) {
  const bytes = Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload));
  return functionFailure(bytes, { status: 200, requestId: 'r-1', report }, PLACE);
}

describe('what a failed function left behind', () => {
  it('class name, message and stack of what the handler threw arrive', () => {
    const error = failure({
      errorType: 'RangeError',
      errorMessage: 'too far',
      trace: ['RangeError: too far', '    at f (a.js:1:1)'],
    });
    expect(error).toMatchObject({ code: 'FUNCTION_ERROR', executed: 'yes', requestId: 'r-1' });
    expect(error.remote).toEqual({
      name: 'RangeError',
      message: 'too far',
      stack: 'RangeError: too far\n    at f (a.js:1:1)',
    });
  });

  it('also in the form of the other runtimes', () => {
    const error = failure({
      errorType: 'KeyError',
      errorMessage: "'a'",
      stackTrace: ['  File "x.py", line 2'],
    });
    expect(error.remote?.stack).toBe('  File "x.py", line 2');
  });

  it.each([
    { errorType: 'Sandbox.Timedout', errorMessage: 'RequestId: 1 Error: Task timed out after 3.00 seconds' },
    { errorMessage: '2026-11-20T10:11:12.123Z 4f1c7a Task timed out after 3.00 seconds' },
  ])(
    'a time-out is TIMEOUT and may have run: %j (origin-defects 1.2: time-outs are recognised)',
    (payload) => {
      expect(failure(payload)).toMatchObject({ code: 'TIMEOUT', executed: 'maybe' });
    },
  );

  it('an error of the handler that speaks of a time-out is no time-out', () => {
    const payload = { errorType: 'Error', errorMessage: 'the database Task timed out after 3 seconds ago' };
    expect(failure(payload).code).toBe('FUNCTION_ERROR');
  });

  const killed = {
    errorType: 'Runtime.ExitError',
    errorMessage: 'RequestId: 1 Error: Runtime exited with error: signal: killed',
  };

  it('a kill with full memory is out of memory', () => {
    const error = failure(killed, { memorySizeMb: 128, memoryUsedMb: 128 });
    expect(error).toMatchObject({ code: 'FUNCTION_ERROR', executed: 'maybe' });
    expect(error.message).toContain('ran out of memory. Raise `memoryMb`');
    expect(failure({ errorType: 'Runtime.OutOfMemory', errorMessage: 'x' }).message).toContain(
      'out of memory',
    );
  });

  it('a kill without that evidence is a crash', () => {
    expect(failure(killed).message).toContain('ended its process');
    expect(failure(killed, { memorySizeMb: 512, memoryUsedMb: 90 }).message).toContain('ended its process');
  });

  it.each([
    'Runtime.ImportModuleError',
    'Runtime.HandlerNotFound',
    'Runtime.UserCodeSyntaxError',
    'Runtime.InvalidEntrypoint',
  ])('%s: no handler ran', (errorType) => {
    expect(failure({ errorType, errorMessage: 'x' })).toMatchObject({ code: 'CONFIG', executed: 'no' });
  });

  it('a runtime error with a name of the future leaves it open', () => {
    expect(failure({ errorType: 'Runtime.MoonPhase', errorMessage: 'x' }).executed).toBe('maybe');
  });

  it('a reply that is too large says that the function ran', () => {
    const error = failure({ errorType: 'Function.ResponseSizeTooLarge', errorMessage: 'exceeded' });
    expect(error).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', executed: 'yes' });
  });

  it('the facts of an error of ours survive in its name', () => {
    expect(failure({ errorType: 'FaasError.INVALID_REQUEST.no', errorMessage: 'x' })).toMatchObject({
      code: 'INVALID_REQUEST',
      executed: 'no',
    });
    expect(failure({ errorType: 'FaasError.MADE_UP.no', errorMessage: 'x' })).toMatchObject({
      code: 'FUNCTION_ERROR',
      executed: 'yes',
    });
  });

  it('a payload that describes no error is not shown', () => {
    const error = failure('canary-bytes');
    expect(error.message).not.toContain('canary');
    expect(error.remote?.message).toContain('12 bytes');
  });
});
