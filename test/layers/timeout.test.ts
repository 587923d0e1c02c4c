import { describe, expect, it } from 'vitest';
import { CallScope, callContext } from '../../src/core/scope.js';
import { timeout, withLayers } from '../../src/layers/index.js';
import { callOf, cancelReason, deaf, errorOf, hanging, invoker, OK, scripted } from './invokers.js';

describe('timeout', () => {
  it('lets a quick answer through', async () => {
    const executor = withLayers(scripted(OK), timeout({ timeoutMs: 1000 }));
    expect(await executor.invoke(callOf(), callContext())).toBe(OK);
  });

  it('fails with TIMEOUT and the facts of the inner invoker', async () => {
    const executor = withLayers(hanging('no'), timeout({ timeoutMs: 20 }));
    const error = await errorOf(executor.invoke(callOf(), callContext()));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'no', provider: 'fake' });
  });

  it('settles with "maybe" when the inner invoker never does', async () => {
    const executor = withLayers(deaf(), timeout({ timeoutMs: 20 }));
    const error = await errorOf(executor.invoke(callOf(), callContext()));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'maybe', provider: 'fake' });
    expect(error.message).toContain('20 ms');
  });

  it('settles after a cancel too when the inner invoker never does', async () => {
    const context = new CallScope();
    const outcome = errorOf(withLayers(deaf(), timeout({ timeoutMs: 60_000 })).invoke(callOf(), context));
    context.cancel(cancelReason());
    expect(await outcome).toMatchObject({ code: 'CANCELLED', executed: 'maybe' });
  });

  it('drops an answer that comes after the deadline, and says that the function ran', async () => {
    const late = invoker((_call, context) => new Promise((resolve) => context.onCancel(() => resolve(OK))));
    const error = await errorOf(withLayers(late, timeout({ timeoutMs: 10 })).invoke(callOf(), callContext()));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'yes' });
  });

  it('calls what surfaces as another failure a TIMEOUT, and keeps its facts', async () => {
    const inner = invoker(
      (_call, context) =>
        new Promise((_resolve, reject) => {
          context.onCancel((reason) => reject(reason.with({ code: 'UNAVAILABLE', executed: 'no' })));
        }),
    );
    const error = await errorOf(
      withLayers(inner, timeout({ timeoutMs: 10 })).invoke(callOf(), callContext()),
    );
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'no' });
  });

  it('tells the function the nearer deadline, in the call and in the context', async () => {
    const inner = scripted(OK);
    const before = Date.now();
    await withLayers(inner, timeout({ timeoutMs: 5000 })).invoke(
      callOf({ args: Uint8Array.of(9) }),
      callContext(),
    );
    const { call, context } = inner.calls[0] ?? expect.fail('not called');
    expect(call.deadline).toBe(context.deadline);
    expect(call.deadline).toBeGreaterThanOrEqual(before + 5000);
    expect(call.args).toEqual(Uint8Array.of(9));
  });

  it('keeps a deadline that is nearer already', async () => {
    const inner = scripted(OK);
    const deadline = Date.now() + 50;
    await withLayers(inner, timeout({ timeoutMs: 5000 })).invoke(
      callOf({ deadline }),
      new CallScope(deadline),
    );
    expect(inner.calls[0]?.call.deadline).toBe(deadline);
  });

  it('refuses a time that is none, at once', () => {
    for (const timeoutMs of [0, -1, Number.NaN]) {
      expect(() => timeout({ timeoutMs })).toThrow(/timeoutMs/);
    }
  });
});
