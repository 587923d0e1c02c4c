import { readdirSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { groupTrees } from '../src/runtimes/group-trees.js';
import { chooseSandbox } from '../src/runtimes/isolation.js';
import { openSandbox } from '../src/runtimes/sandbox.js';
import { echo, node, sh, textOf } from './support/bootstraps.js';
import { eventually, type TestPlatform, tempFolder, testPlatform } from './support/platform.js';
import { pidsWith, readProc } from './support/processes.js';

const sandbox = await openSandbox();
if (typeof sandbox === 'string') console.log(`Not run: the tests inside a sandbox, since ${sandbox}.`);

describe('choosing a sandbox', () => {
  async function fake(script: string): Promise<string> {
    const file = join(await tempFolder(), 'bwrap');
    await writeFile(file, sh(script));
    await chmod(file, 0o755);
    return file;
  }

  it('"required" refuses to go on without one, with the reason', async () => {
    await expect(chooseSandbox(groupTrees(), 'required', ['/nowhere/bwrap'])).rejects.toThrow(
      /only with a sandbox, .* bubblewrap \(bwrap\) is not installed\. Install bubblewrap/,
    );
    const broken = await fake('echo "bwrap: No permissions to create new namespace" >&2; exit 1');
    await expect(chooseSandbox(groupTrees(), 'required', [broken])).rejects.toThrow(
      `${broken} does not work here: bwrap: No permissions to create new namespace`,
    );
  });

  it('"best-effort" goes on without, and says that it does and why', async () => {
    const { sandbox: none, isolation } = await chooseSandbox(groupTrees(), 'best-effort', ['/nowhere']);
    expect(none).toBeUndefined();
    expect(isolation).toMatchObject({
      mode: 'process',
      network: 'host',
      reason: 'bubblewrap (bwrap) is not installed',
    });
  });

  it('"off" does not look for one', async () => {
    const { isolation } = await chooseSandbox(groupTrees(), 'off');
    expect(isolation).toMatchObject({ mode: 'process', network: 'host', reason: 'isolation is "off"' });
  });
});

describe.runIf(typeof sandbox !== 'string')('a function in the sandbox', () => {
  let server: TestPlatform;

  beforeAll(async () => {
    server = await testPlatform({ isolation: 'required' });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  /** Deploys JavaScript that computes a value, and gives that value. */
  // biome-ignore lint/suspicious/noExplicitAny: each test looks at a value of its own shape
  async function evaluate(id: string, expression: string, config: object = {}): Promise<any> {
    const script = node(`const os = require('node:os');
      const failure = (act) => { try { act(); return 'no failure'; } catch (error) { return error.code; } };
      Promise.resolve(${expression}).then((value) => reply([...Buffer.from(JSON.stringify(value))]));`);
    await server.deploy(id, script, config, '?replace=true');
    const { body } = await server.invoke(id);
    expect(body).toMatchObject({ success: true });
    return JSON.parse(textOf(body.result));
  }

  it('is announced by GET /api, with what the sandbox does not do', async () => {
    const { body } = await server.request('GET', '/api');
    expect(body.isolation).toMatchObject({ mode: 'sandbox', network: 'none', seccomp: false });
    expect(body.isolation.reason).toBeUndefined();
    expect(body.isolation).toEqual(server.platform.isolation);
  });

  it('works as outside, cold and started ahead', async () => {
    await server.deploy('echo', echo);
    expect((await server.invoke('echo', [1, 255])).body).toMatchObject({
      result: [1, 255],
      cold_start: true,
    });
    // A bootstrap is started ahead once it was seen to read all its input, which a busy machine may not see at once.
    await eventually(async () => {
      const { body } = await server.invoke('echo', [2]);
      expect(body).toMatchObject({ result: [2] });
      return body.cold_start === false;
    }, 'a call is served by an instance that waited');
  });

  it('runs as nobody, without capabilities and without a way to gain any', async () => {
    const status = await evaluate('status', `fs.readFileSync('/proc/self/status', 'utf8')`);
    expect(status).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
    expect(status).toMatch(/^CapPrm:\t0+$/m);
    expect(status).toMatch(/^CapEff:\t0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    await server.deploy('unshare', sh('unshare -U true 2>/dev/null && exit 0; exit 7'));
    expect((await server.invoke('unshare')).body.details).toMatchObject({ exit_code: 7 });
  });

  it('can write to its private folder and to /tmp, and nowhere else', async () => {
    const places = ['/x', '/usr/x', '/etc/x', './x', '/proc/x', '/dev/x', process.execPath];
    const seen = await evaluate(
      'write',
      `({ refused: ${JSON.stringify(places)}.map((path) => failure(() => fs.writeFileSync(path, 'x'))),
          home: failure(() => fs.writeFileSync(process.env.HOME + '/x', 'x')),
          tmp: failure(() => fs.writeFileSync('/tmp/x', 'x')) })`,
    );
    expect(seen).toMatchObject({ home: 'no failure', tmp: 'no failure' });
    for (const code of seen.refused) expect(code).not.toBe('no failure');
  });

  it('has 64 MiB of /tmp, fresh for each call', async () => {
    const expression = `({ before: fs.readdirSync('/tmp').filter((name) => name.startsWith('fill')),
      code: failure(() => fs.writeFileSync('/tmp/fill', Buffer.alloc(80 << 20))) })`;
    expect(await evaluate('fill', expression)).toEqual({ before: [], code: 'ENOSPC' });
    expect(JSON.parse(textOf((await server.invoke('fill')).body.result)).before).toEqual([]);
  });

  it('sees its own files and the programs of the system, nothing of the platform or its user', async () => {
    await server.deploy('neighbour', echo);
    const { dataDir } = server;
    const places = [
      join(dataDir, 'platform.sqlite'),
      '/etc/shadow',
      '/etc/passwd',
      '/root',
      '/home',
      '/var/run',
    ];
    const seen = await evaluate(
      'look',
      `({ absent: ${JSON.stringify(places)}.map((path) => failure(() => fs.statSync(path))),
          code: fs.readdirSync('..').length, own: fs.readdirSync('.'),
          calls: fs.readdirSync(require('node:path').dirname(require('node:path').dirname(process.env.HOME))).length })`,
    );
    expect(seen.absent).toEqual(places.map(() => 'ENOENT'));
    expect(seen).toMatchObject({ code: 1, own: ['bootstrap'], calls: 1 });
    expect(readdirSync(join(dataDir, 'code')).length).toBeGreaterThan(2);
  });

  it('sees no process but its own, and inherits no descriptor', async () => {
    const seen = await evaluate(
      'processes',
      `({ pids: fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).length,
          targets: ['0', '1', '2', '3'].map((fd) => { try { return fs.readlinkSync('/proc/self/fd/' + fd); } catch { return 'none'; } }) })`,
    );
    // bwrap, and a shell where there is one between.
    expect(seen.pids).toBeLessThanOrEqual(3);
    expect(seen.targets.slice(0, 3).every((target: string) => target.startsWith('socket:'))).toBe(true);
    // Node opens an epoll descriptor of its own.
    expect(seen.targets[3]).toMatch(/^(none|anon_inode:.*)$/);
  });

  it('reaches no network, not even the platform', async () => {
    const { port } = server.platform;
    const seen = await evaluate(
      'network',
      `(async () => {
        const connect = (host, port) => new Promise((resolve) => require('node:net').connect({ host, port })
          .on('connect', () => resolve('connected')).on('error', (error) => resolve(error.code)));
        return { own: Object.keys(os.networkInterfaces()), platform: await connect('127.0.0.1', ${port}),
          metadata: await connect('169.254.169.254', 80) };
      })()`,
    );
    expect(seen).toEqual({ own: ['lo'], platform: 'ECONNREFUSED', metadata: 'ENETUNREACH' });
  });

  it('leaves its variables off every command line', async () => {
    const { body } = await server.deploy(
      'secretive',
      sh('cat > /dev/null; cat /proc/*/cmdline >&2; exit 1'),
      {
        env_vars: { TOKEN: 'canary-of-the-command-line' },
      },
    );
    expect(body.status).toBe('deployed');
    expect(JSON.stringify((await server.invoke('secretive')).body)).not.toContain(
      'canary-of-the-command-line',
    );
    await server.request('POST', '/api/functions/secretive/warm');
    const pids = pidsWith('FAAS_FUNCTION_ID=secretive');
    expect(pids.length).toBeGreaterThan(0);
    for (const pid of pids) expect(readProc(pid, 'cmdline')).not.toContain('canary-of-the-command-line');
  });

  it('that needs an interpreter the sandbox does not have did not run', async () => {
    const folder = await tempFolder();
    await writeFile(join(folder, 'interpreter'), sh('exit 0'));
    await chmod(join(folder, 'interpreter'), 0o755);
    await server.deploy('elsewhere', `#!${folder}/interpreter\n`);
    const { status, body } = await server.invoke('elsewhere');
    expect([status, body.code, body.executed]).toEqual([500, 'EXECUTION_ERROR', 'no']);
    expect(body.error).toContain('bwrap: execvp ./bootstrap');
  });

  it('takes its whole family with it, sessions of their own too', async () => {
    const script = sh(
      `setsid sh -c 'trap "" TERM; sleep 300 & sleep 300' & printf '{"result":[1]}'; cat > /dev/null`,
    );
    await server.deploy('family', script);
    expect((await server.invoke('family')).body.result).toEqual([1]);
    await eventually(
      () => pidsWith('FAAS_FUNCTION_ID=family').length <= 3 * server.platform.stats().waiting,
      'nobody of the call is left',
    );
  });
});
