/** The two jobs. This file is also what gets packaged: the platform runs `compress` from it. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';
import { defineJob } from 'jobferry';

const compressAsync = promisify(brotliCompress);

/** Cheap: stays in the process of the runner. */
export const checksum = defineJob({
  id: 1,
  name: 'checksum',
  handler: (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex'),
});

/** Expensive: goes to the platform. Running it twice does no harm, so doubtful failures may be retried. */
export const compress = defineJob({
  id: 2,
  name: 'compress',
  codec: 'bytes',
  idempotent: true,
  config: { memoryMb: 512, timeoutSecs: 300 },
  handler: (bytes: Uint8Array): Promise<Uint8Array> =>
    compressAsync(bytes, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
    }),
});
