// Builds both packages: tsup writes the JavaScript, tsc the declarations. Each build works in folders of its own
// and swaps them in when everything has succeeded, so two builds at once cannot mix and a failed one changes nothing.
import { spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { node, packages, root, stampName } from './build-state.mjs';

const startedAt = new Date();
// Beside dist, not below it: source maps hold relative paths.
const built = (folder) => join(folder, `dist-${process.pid}.tmp`);

try {
  for (const { folder } of packages) mkdirSync(built(folder));
  const failures = (
    await Promise.all(packages.flatMap(({ folder }) => [bundle(folder), declare(folder)]))
  ).filter(Boolean);
  failures.push(...(failures.length === 0 ? missingOutputs() : []));
  if (failures.length > 0) {
    console.error(`${failures.join('\n\n')}\n\nThe build failed; dist is as it was.`);
    process.exitCode = 1;
  } else {
    finish();
  }
} finally {
  for (const { folder } of packages) rmSync(built(folder), { recursive: true, force: true });
}

function bundle(folder) {
  return run(folder, 'node_modules/tsup/dist/cli-default.js', ['--out-dir', built(folder)]);
}

function declare(folder) {
  return run(folder, 'node_modules/typescript/bin/tsc', [
    '-p',
    'tsconfig.build.json',
    '--outDir',
    built(folder),
  ]);
}

/** Resolves to nothing, or to what the tool said when it failed. */
function run(folder, tool, args) {
  return new Promise((resolve) => {
    const child = spawn(node(), [join(root, tool), ...args], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (chunk) => {
      output += chunk;
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => resolve(`${tool} in ${folder}: ${error.message}`));
    child.on('close', (code, signal) => {
      resolve(
        code === 0
          ? undefined
          : `${tool} in ${folder} ended with ${signal ?? `code ${code}`}:\n${output.trim()}`,
      );
    });
  });
}

/** An exports entry without a file is found here, not by a user. */
function missingOutputs() {
  return packages.flatMap(({ folder, outputs }) =>
    outputs
      .filter((output) => !existsSync(join(built(folder), output.replace(/^(\.\/)?dist\//, ''))))
      .map((output) => `${join(folder, output)} is named in package.json, but the build does not write it.`),
  );
}

/** Policies of the clouds' rooms: read by people, and pasted. */
function copyPermissions() {
  const rooms = 'executors';
  for (const room of readdirSync(join(root, 'src', rooms))) {
    const source = join(root, 'src', rooms, room, 'permissions');
    if (existsSync(source))
      cpSync(source, join(built(root), rooms, room, 'permissions'), { recursive: true });
  }
}

function finish() {
  copyPermissions();
  chmodSync(join(built(root), 'cli/main.js'), 0o755);
  const stamp = join(built(root), stampName);
  writeFileSync(stamp, '');
  utimesSync(stamp, startedAt, startedAt);
  // The root, which holds the stamp, comes last: a build cut off here is built again.
  for (const { folder } of [...packages].reverse()) swapIn(built(folder), join(folder, 'dist'));
}

function swapIn(fresh, dist) {
  const old = `${fresh}.old`;
  // A build beside this one may put its own dist back between the two renames.
  for (let attempt = 0; ; attempt++) {
    try {
      if (existsSync(dist)) renameSync(dist, old);
      renameSync(fresh, dist);
      break;
    } catch (error) {
      if (attempt === 10) throw error;
    } finally {
      rmSync(old, { recursive: true, force: true });
    }
  }
}
