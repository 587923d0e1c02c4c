/** A layer wraps one invoker and is one itself. */
import { FaasError } from './errors.js';
import type { FaasInvoker } from './executor.js';

/**
 * Takes an invoker and returns one that does something around each call. One of your own must pass on `provider`,
 * `limits` and `close` of `inner`, and sends a call again only where `executed` and `idempotent` allow it.
 */
export type Layer = (inner: FaasInvoker) => FaasInvoker;

/**
 * Wraps `inner` in `layers`. The first listed is the outermost, so
 * `withLayers(lambda, timeout({ timeoutMs: 5000 }), retry())` limits all attempts together
 * and `withLayers(lambda, retry(), timeout({ timeoutMs: 5000 }))` limits each.
 * @throws {FaasError} CONFIG when something listed is not a layer.
 */
export function withLayers(inner: FaasInvoker, ...layers: Layer[]): FaasInvoker {
  return layers.reduceRight<FaasInvoker>((wrapped, layer, index) => {
    const outer = typeof layer === 'function' ? layer(wrapped) : undefined;
    if (typeof outer?.invoke !== 'function') {
      throw new FaasError({
        code: 'CONFIG',
        executed: 'no',
        message: `Argument ${index + 1} of withLayers is not a layer. Call the layer's function first: retry(), not retry.`,
      });
    }
    return outer;
  }, inner);
}
