/** `jobferry keys`: who may use a platform that others can reach. */
import { Command, InvalidArgumentError } from 'commander';
import { EXIT } from '../exit-codes.js';
import { type KeyRecord, type KeyRight, loadPlatform } from '../platform-package.js';
import type { Finish } from '../program.js';
import { integer } from '../target.js';

const RIGHTS: readonly KeyRight[] = ['read', 'invoke', 'deploy'];
const DAY_MS = 24 * 60 * 60 * 1000;

interface Data {
  readonly data: string;
}

export function keysCommand(finish: Finish): Command {
  return new Command('keys')
    .description('make, list and revoke the keys of a platform, on the machine it runs on')
    .addCommand(create(finish))
    .addCommand(list(finish))
    .addCommand(revoke(finish))
    .addHelpText(
      'after',
      `
Examples:
  $ jobferry keys create ci --right deploy --expires-days 90
  $ jobferry keys list
  $ jobferry keys revoke 0f1e2d3c4b5a`,
    );
}

function create(finish: Finish): Command {
  return withData(new Command('create'))
    .description('make a key; it is shown once and kept nowhere')
    .argument('<name>', 'for whom or what it is')
    .option('--right <right>', `${RIGHTS.join(', ')}; may be repeated; default: all`, addRight)
    .option('--expires-days <n>', 'default: never', integer(1))
    .action(
      async (
        name: string,
        { data, right, expiresDays }: Data & { right?: KeyRight[]; expiresDays?: number },
      ) => {
        const { createKey } = await loadPlatform();
        const key = await createKey({
          dataDir: data,
          name,
          ...(right !== undefined && { rights: right }),
          ...(expiresDays !== undefined && { expiresAt: new Date(Date.now() + expiresDays * DAY_MS) }),
        });
        finish({
          lines: [
            key.key,
            `key ${key.id} for ${name}: ${key.rights.join(', ')}. Put it into JOBFERRY_TOKEN.`,
          ],
          data: { ...key },
        });
      },
    );
}

function list(finish: Finish): Command {
  return withData(new Command('list'))
    .description('show all keys, revoked and expired ones too')
    .action(async ({ data }: Data) => {
      const { listKeys } = await loadPlatform();
      const keys = await listKeys({ dataDir: data });
      finish({ lines: keys.length === 0 ? ['no keys'] : keys.map(describe), data: { keys } });
    });
}

function revoke(finish: Finish): Command {
  return withData(new Command('revoke'))
    .description('end a key; a running platform refuses it within a second')
    .argument('<id>')
    .action(async (id: string, { data }: Data) => {
      const { revokeKey } = await loadPlatform();
      const found = await revokeKey({ dataDir: data, id });
      finish({
        lines: [found ? `key ${id} is revoked` : `there is no key ${id} in ${data}`],
        data: { id, revoked: found },
        exitCode: found ? EXIT.ok : EXIT.notFound,
      });
    });
}

function addRight(text: string, rights: readonly KeyRight[] = []): KeyRight[] {
  const right = RIGHTS.find((one) => one === text);
  if (right === undefined) throw new InvalidArgumentError(`Use one of ${RIGHTS.join(', ')}.`);
  return [...rights, right];
}

function withData(command: Command): Command {
  return command
    .option('--data <dir>', 'the data folder of the platform', '.jobferry')
    .option('--json', 'print one JSON object as the last line');
}

function describe({ id, name, rights, createdAt, expiresAt, revokedAt }: KeyRecord): string {
  const state =
    revokedAt !== undefined
      ? `revoked ${revokedAt}`
      : expiresAt !== undefined
        ? `expires ${expiresAt}`
        : 'does not expire';
  return `${id}  ${name}  ${rights.join(',')}  made ${createdAt}  ${state}`;
}
