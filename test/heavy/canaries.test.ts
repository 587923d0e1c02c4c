// Fifty secrets planted around a function: in the platform's environment, command line, open files and folders, in
// its neighbours and in its user's files. A function that looks everywhere finds none of them in the sandbox; the
// same function outside finds most, which shows that it does look.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openSandbox } from '../../platform/src/runtimes/sandbox.js';
import { node, sh, textOf } from '../../platform/test/support/bootstraps.js';
import { type Client, clientOf, eventually } from '../../platform/test/support/platform.js';
import { buildPlatform } from '../../platform/test/support/platform-process.js';
import { zip } from '../../platform/test/support/zip.js';

const CANARIES = 50;
const sandbox = await openSandbox();
if (typeof sandbox === 'string') console.log(`Not run: the hunt in the sandbox, since ${sandbox}.`);

/** Looks into its environment, every process, every file it may read, and asks the platform itself. */
const hunter = node(`
const found = new Set();
const look = (text) => { for (const [canary] of String(text).matchAll(/CANARY-[0-9]{2}-[0-9a-f]{16}/g)) found.add(canary); };
const tryTo = (act) => { try { return act(); } catch { return undefined; } };
const skip = /^\\/(usr|lib|lib32|lib64|libx32|bin|sbin|sys|dev|boot|opt|work|var\\/lib|var\\/cache)$/;
const walk = (folder, depth) => {
  for (const entry of tryTo(() => fs.readdirSync(folder, { withFileTypes: true })) ?? []) {
    const path = folder === '/' ? '/' + entry.name : folder + '/' + entry.name;
    look(path);
    if (skip.test(path) || path.includes('/node_modules')) continue;
    if (entry.isDirectory() && path !== '/proc' && depth < 8) walk(path, depth + 1);
    else if (entry.isFile() && tryTo(() => fs.statSync(path).size < 4e6)) look(tryTo(() => fs.readFileSync(path, 'latin1')));
  }
};
look(JSON.stringify(process.env));
for (const name of fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
  for (const file of ['environ', 'cmdline', 'mountinfo', 'cgroup']) look(tryTo(() => fs.readFileSync('/proc/' + name + '/' + file, 'latin1')));
  for (const link of ['cwd', 'exe', 'root']) look(tryTo(() => fs.readlinkSync('/proc/' + name + '/' + link)));
  for (const fd of tryTo(() => fs.readdirSync('/proc/' + name + '/fd')) ?? []) {
    const path = '/proc/' + name + '/fd/' + fd;
    look(tryTo(() => fs.readlinkSync(path)));
    if (tryTo(() => fs.statSync(path).isFile() && fs.statSync(path).size < 4e6)) look(tryTo(() => fs.readFileSync(path, 'latin1')));
  }
}
walk('/', 0);
const { port } = JSON.parse(Buffer.from(input.args).toString('utf8'));
const ask = async (path) => look(await (await fetch('http://127.0.0.1:' + port + path)).text());
Promise.allSettled(['/api', '/api/functions', '/api/functions/neighbour', '/api/functions/neighbour/logs', '/api/invocations'].map(ask))
  .then(() => reply([...Buffer.from(JSON.stringify([...found].sort()))]));
`);

describe('fifty canary secrets', () => {
  let home: string;
  let built: string;
  let count = 0;
  const platforms: ChildProcess[] = [];
  const strangers: string[] = [];

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'canaries-'));
    await symlink(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(home, 'node_modules'));
    await writeFile(join(home, 'package.json'), '{"type":"module","version":"0.0.0"}');
    built = await buildPlatform(join(home, 'dist'));
  });
  afterAll(async () => {
    for (const platform of platforms) platform.kill('SIGKILL');
    for (const path of [home, ...strangers]) await rm(path, { recursive: true, force: true });
  });

  function canary(): string {
    count += 1;
    const random = Array.from({ length: 16 }, () => Math.floor(Math.random() * 16).toString(16)).join('');
    return `CANARY-${String(count).padStart(2, '0')}-${random}`;
  }

  const canaries = (wanted: number): string[] => Array.from({ length: wanted }, canary);

  /** Plants all fifty around a platform, and lets a function hunt for them. */
  async function hunt(isolation: string): Promise<string[]> {
    count = 0;
    const folder = join(home, isolation);
    mkdirSync(folder);
    // 10 in the environment of the platform, 5 on its command line.
    const env = Object.fromEntries(canaries(10).map((secret, index) => [`SECRET_${index}`, secret]));
    const words = canaries(5);
    // 5 in files it has open, 10 in files of its user and of the system.
    const opened = canaries(5).map((secret, index) => ({ secret, path: join(folder, `open-${index}`) }));
    for (const { secret, path } of opened) await writeFile(path, secret);
    const places = ['/etc', '/root', '/var/tmp', tmpdir(), homedir(), folder, home, '/srv', '/mnt', '/run'];
    for (const [index, secret] of canaries(10).entries()) {
      const path = join(places[index] ?? folder, `canary-${isolation}-${index}`);
      strangers.push(path);
      // A user who is not root has fewer places.
      await writeFile(path, secret).catch(() => writeFile(join(folder, `canary-${index}`), secret));
    }
    const descriptors = opened.map(({ path }) => openSync(path, 'r'));
    const { url, client } = await start(
      { port: 0, dataDir: join(folder, 'data'), isolation },
      env,
      words,
      descriptors,
    );
    for (const descriptor of descriptors) closeSync(descriptor);
    // 5 in the data folder, 15 in a neighbour: its files, its variables, the arguments, metadata and logs of its call.
    for (const [index, secret] of canaries(5).entries())
      await writeFile(join(folder, 'data', `note-${index}`), secret);
    const [code = '', ...files] = canaries(5);
    const variables = Object.fromEntries(canaries(5).map((secret, index) => [`TOKEN_${index}`, secret]));
    const [argument = '', tag = '', line = '', word = '', own = ''] = canaries(5);
    const neighbour = sh(`# ${code}
cat > "$HOME/input"; echo ${line} >&2; echo ${own} > "$HOME/own"; touch /tmp/x 2>/dev/null; exec sh -c 'sleep 600' ${word}`);
    const entries = files.map((secret, index) => ({ name: `file-${index}`, content: secret }));
    const archive = zip([{ name: 'bootstrap', content: neighbour }, ...entries]);
    expect((await client.deploy('neighbour', archive, { env_vars: variables })).status).toBe(200);
    client
      .invoke('neighbour', Buffer.from(argument), {
        'X-Faas-Metadata': Buffer.from(JSON.stringify({ tag })).toString('base64url'),
      })
      .catch(() => {});
    await eventually(async () => {
      const { body } = await client.request('GET', '/api/functions/neighbour/health');
      return body.total_invocations === 1;
    }, 'the neighbour runs');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(count).toBe(CANARIES);

    expect((await client.deploy('hunter', hunter, { timeout_secs: 120, memory_mb: 1024 })).status).toBe(200);
    const port = Number(new URL(url).port);
    const { status, body } = await client.invoke('hunter', Buffer.from(JSON.stringify({ port })));
    expect({ status, body }).toMatchObject({ status: 200, body: { success: true } });
    return JSON.parse(textOf(body.result));
  }

  async function start(
    options: object,
    env: Record<string, string>,
    words: string[],
    descriptors: number[],
  ): Promise<{ url: string; client: Client }> {
    const script = `const { startPlatform } = await import(process.argv[1]);
      console.log((await startPlatform(JSON.parse(process.argv[2]))).url);`;
    const child = spawn(
      process.execPath,
      ['--input-type=module', '-e', script, built, JSON.stringify(options), ...words],
      { env: { PATH: '/usr/bin:/bin', ...env }, stdio: ['ignore', 'pipe', 'inherit', ...descriptors] },
    );
    platforms.push(child);
    const [url] = (await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), 'line')) as [
      string,
    ];
    return { url, client: clientOf(url) };
  }

  it('are found without a sandbox by a function that looks for them', async () => {
    const found = await hunt('off');
    console.log(`Without a sandbox a function found ${found.length} of ${CANARIES} canaries.`);
    expect(found.length).toBeGreaterThan(CANARIES / 2);
  });

  it.runIf(typeof sandbox !== 'string')('are not to be found from the sandbox, not one', async () => {
    const found = await hunt('required');
    console.log(`In the sandbox a function found ${found.length} of ${CANARIES} canaries.`);
    expect(found).toEqual([]);
  });
});
