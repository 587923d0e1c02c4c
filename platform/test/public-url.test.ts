import { describe, expect, it } from 'vitest';

import { startPlatform } from '../src/index.js';
import { e2eClient } from './support/e2e.js';
import { invokeAsync } from './support/invocations.js';
import { tempFolder, testPlatform } from './support/platform.js';

describe('the public URL of a platform', () => {
  it.each([
    ['https://faas.example.org/base/', 'https://faas.example.org/base'],
    [undefined, undefined],
  ])('is what URLs in the answers of all doors begin with: %s', async (publicUrl, base) => {
    await using server = await testPlatform(publicUrl === undefined ? {} : { publicUrl });
    const expected = base ?? server.platform.url;
    const deployed = await server.deploy('f', '#!/bin/sh\ncat > /dev/null; echo \'{"success":true}\'\n');
    const described = await server.request('GET', '/api/functions/f');
    for (const { body } of [deployed, described])
      expect(body.endpoint).toBe(`${expected}/api/functions/f/invoke`);
    const accepted = await invokeAsync(server, 'f');
    const status = `${expected}/api/invocations/${accepted.body.invocation_id}`;
    expect([accepted.body.status_url, accepted.headers.get('location')]).toEqual([status, status]);
    const made = await e2eClient(server).create({ name: 'web', code_inline: 'module.exports = () => 1;' });
    expect(made.invoke_url).toBe(`${expected}/faas/function/v1/web.e2e-faas-local/`);
  });

  it.each(['faas.example.org', 'ftp://x/', 'https://a:b@x/', 'https://x/?q=1', ''])(
    'that is none is refused: %j',
    async (publicUrl) => {
      await expect(startPlatform({ publicUrl, dataDir: await tempFolder() })).rejects.toThrow('publicUrl');
    },
  );
});
