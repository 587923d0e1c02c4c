import { expect, it } from 'vitest';
import { openFaasClient, upstream } from './support/openfaas.js';
import { eventually, tempFolder, testPlatform } from './support/platform.js';
import { zip } from './support/zip.js';

/** Listens much later than a platform lives here. */
const LATE = `
const http = require('node:http');
const server = http.createServer((request, response) => response.end('here'));
setTimeout(() => server.listen(Number(process.env.PORT), '127.0.0.1'), 2500);`;

it('a call that waited for its first instance when the platform ended, again and again, runs in the end, once', async () => {
  const dataDir = await tempFolder();
  const start = () => testPlatform({ dataDir });
  let path = '';
  {
    await using server = await start();
    const faas = openFaasClient(server);
    const code_archive = zip([{ name: 'server.js', content: LATE }]).toString('base64');
    await faas.deploy(upstream({ service: 'late', code_archive }));
    const accepted = await faas.call('/async-function/late', { body: 'x' });
    expect(accepted.status).toBe(202);
    path = `/async-function/${accepted.headers.get('x-call-id')}`;
  }
  const state = async (faas: ReturnType<typeof openFaasClient>) =>
    JSON.parse((await faas.call(path, { method: 'GET' })).text);
  for (let life = 0; life < 4; life += 1) {
    await using server = await start();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await state(openFaasClient(server))).status).toMatch(/pending|running/);
  }
  await using server = await start();
  const faas = openFaasClient(server);
  await eventually(async () => (await state(faas)).status === 'completed', 'it has completed');
  expect(await state(faas)).toMatchObject({ attempts: 1 });
});
