// Checks what npm would publish: packs both packages, lints the tarballs, and uses them in a new project as a stranger
// would: types under both resolutions, then the README's first example through `npx jobferry`.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './build-state.mjs';

const folder = mkdtempSync(join(tmpdir(), 'jobferry-package-'));
const project = join(folder, 'project');
const bin = (name) => join(root, 'node_modules/.bin', name);
let passed = 0;
const failures = [];

try {
  const [sdk, platform] = ['.', 'platform'].map((path) => pack(join(root, path)));
  for (const tarball of [sdk, platform]) {
    check(`publint ${tarball.name}`, () => run(bin('publint'), ['run', tarball.path, '--strict'], root));
    check(`attw ${tarball.name}`, () => run(bin('attw'), [tarball.path, '--profile', 'esm-only'], root));
  }
  check('the tarball holds no source, test or machine path', () => inspect(sdk));
  check('installs into a new project', () => install(sdk));
  const withoutPeers = (subpath) => !needsPeers(subpath);
  check('types under nodenext, skipLibCheck false', () => typecheck('nodenext', 'nodenext', withoutPeers));
  check('types under bundler, skipLibCheck false', () => typecheck('esnext', 'bundler', withoutPeers));
  check('importing the front door loads no HTTP client and no provider', frontDoor);
  await checkAsync('README: npx jobferry dev, deploy, node main.ts', readme);
  check('the optional peers install beside it', installPeers);
  check('types of every subpath under nodenext, skipLibCheck false', () =>
    typecheck('nodenext', 'nodenext', () => true),
  );
  check('types of every subpath under bundler, skipLibCheck false', () =>
    typecheck('esnext', 'bundler', () => true),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const failure of failures) console.error(`\n${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;

function pack(path) {
  const [{ filename, name }] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], path));
  return { name, path: join(folder, filename) };
}

function inspect({ path }) {
  const names = run('tar', ['tzf', path], root).trim().split('\n');
  const strangers = names.filter((name) =>
    /^package\/(src|test|bench|examples|node_modules\/jobferry)\//.test(name),
  );
  if (strangers.length > 0) throw new Error(`the tarball holds ${strangers.join(', ')}`);
  for (const needed of ['package/README.md', 'package/LICENSE', 'package/dist/cli/main.js']) {
    if (!names.includes(needed)) throw new Error(`the tarball lacks ${needed}`);
  }
  const unpacked = join(folder, 'unpacked');
  mkdirSync(unpacked);
  run('tar', ['xzf', path, '-C', unpacked], root);
  for (const name of names.filter((one) => /\.(js|d\.ts|json)$/.test(one))) {
    if (readFileSync(join(unpacked, name), 'utf8').includes(root)) throw new Error(`${name} names ${root}`);
  }
}

function install({ path }) {
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }');
  run('npm', ['install', '--no-audit', '--no-fund', path], project);
}

/** What names types of an optional peer: its users have it. */
function needsPeers(subpath) {
  return (
    ['./aws-lambda', './gcp-functions'].some((room) => subpath.startsWith(room)) || subpath === './objects'
  );
}

function installPeers() {
  const { peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const peers = Object.entries(peerDependencies).map(([name, range]) => `${name}@${range}`);
  run('npm', ['install', '--no-audit', '--no-fund', ...peers], project);
}

function typecheck(module, moduleResolution, wanted) {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const subpaths = Object.keys(exports).filter((key) => !key.endsWith('.json') && wanted(key));
  const imports = subpaths.map((key, n) => `import * as m${n} from 'jobferry${key.slice(1)}'; void m${n};`);
  writeFileSync(join(project, 'all.ts'), imports.join('\n'));
  for (const [name, code] of readmeBlocks()) writeFileSync(join(project, name), code);
  const options = {
    module,
    moduleResolution,
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable'],
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    allowImportingTsExtensions: true,
  };
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: options, files: ['all.ts', 'main.ts'] }),
  );
  run(bin('tsc'), ['-p', project], project);
}

function frontDoor() {
  const code = `import { register } from 'node:module';
    import { defineJob } from 'jobferry';
    const loaded = process.moduleLoadList.filter((name) => /NativeModule (http|https|http2|sqlite)$/.test(name));
    if (typeof defineJob !== 'function' || loaded.length > 0) throw new Error('loaded ' + loaded);`;
  run(process.execPath, ['--input-type=module', '-e', code], project);
}

async function readme() {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  for (const [name, code] of readmeBlocks())
    writeFileSync(join(project, name), code.replace('http://127.0.0.1:8080', url));
  const env = { ...process.env, JOBFERRY_URL: url };
  const dev = spawn('npx', ['jobferry', 'dev', '--port', String(port)], {
    cwd: project,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  try {
    await new Promise((resolve, reject) => {
      dev.stdout.on('data', (text) => String(text).includes('ready on') && resolve());
      dev.once('exit', (code) => reject(new Error(`jobferry dev ended with ${code}`)));
    });
    run('npx', ['jobferry', 'deploy', 'jobs.ts'], project, env);
    const output = run(process.execPath, ['main.ts'], project, env);
    if (output !== 'square ok 49\n') throw new Error(`main.ts printed ${JSON.stringify(output)}`);
  } finally {
    process.kill(-dev.pid, 'SIGTERM');
    await new Promise((resolve) => dev.once('close', resolve));
  }
}

function readmeBlocks() {
  const text = readFileSync(join(root, 'README.md'), 'utf8');
  return [...text.matchAll(/```ts\n\/\/ (\S+)\n(.*?)```/gs)].map(([, name, code]) => [name, code]);
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function run(command, args, cwd, env = process.env) {
  try {
    return execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')}\n${error.stdout ?? ''}${error.stderr ?? ''}`.trim());
  }
}

function check(title, act) {
  try {
    act();
    passed += 1;
    console.log(`ok    ${title}`);
  } catch (error) {
    failures.push(`${title}: ${error.message}`);
    console.log(`FAIL  ${title}`);
  }
}

async function checkAsync(title, act) {
  try {
    await act();
    passed += 1;
    console.log(`ok    ${title}`);
  } catch (error) {
    failures.push(`${title}: ${error.message}`);
    console.log(`FAIL  ${title}`);
  }
}
