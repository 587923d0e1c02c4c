import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { ROLE } from '../fakes/aws-lambda.js';
import { artifact, bench, otherArtifact } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];
const NAME = 'jobferry-job-1';

describe('after a crash at any step, a second deploy converges', () => {
  const config = {
    keepWarm: 1,
    maxConcurrency: 2,
    labels: { a: 'b' },
    memoryMb: 1024,
    aws: { role: ROLE, eventRetries: 1 },
  };

  async function stateAfter(prepare: boolean, crashAtWrite: number, reset: 'before' | 'after') {
    await using it = await bench({ jobs }, { alias: 'live' });
    if (prepare) await it.deploy(1);
    const crash = new AbortController();
    // A process that dies sends nothing more: the write number n is cut, and the deployer is stopped.
    const writes = prepare ? UPDATE_WRITES : CREATE_WRITES;
    it.fake.fault(writes[crashAtWrite - 1] ?? 'none', { reset, run: () => crash.abort() });
    const code = prepare ? otherArtifact : artifact;
    const failed = await it.executor.deployJob(1, code, config, crash.signal).then(
      () => false,
      () => true,
    );
    await it.executor.deployJob(1, code, config);
    const settled = it.fake.writes().length;
    await it.executor.deployJob(1, code, config);
    const { configuration, aliases, provisioned, tags, reserved, versions, events } =
      it.fake.functions.get(NAME);
    const version = versions[Number(aliases.get('live')?.['FunctionVersion']) - 1];
    return {
      failed,
      idle: it.fake.writes().length === settled,
      memoryMb: configuration['MemorySize'],
      live: [version?.['CodeSha256'], version?.['MemorySize']],
      warm: provisioned.get('live')?.requested,
      label: tags['a'],
      reserved,
      events: events.get('live')?.['MaximumRetryAttempts'],
      code: configuration['CodeSha256'] === Buffer.from(code.sha256, 'hex').toString('base64'),
    };
  }

  const CREATE_WRITES = [
    'CreateFunction',
    'PutFunctionConcurrency',
    'PublishVersion',
    'CreateAlias',
    'PutFunctionEventInvokeConfig',
    'TagResource',
    'PutProvisionedConcurrencyConfig',
  ];
  const UPDATE_WRITES = [
    'UpdateFunctionCode',
    'UpdateFunctionConfiguration',
    'PutFunctionConcurrency',
    'PublishVersion',
    'UpdateAlias',
    'PutFunctionEventInvokeConfig',
    'TagResource',
    'PutProvisionedConcurrencyConfig',
  ];
  const cases = [
    ...CREATE_WRITES.map((name, index) => ({ prepare: false, name, write: index + 1 })),
    ...UPDATE_WRITES.map((name, index) => ({ prepare: true, name, write: index + 1 })),
  ].flatMap((each) => (['before', 'after'] as const).map((reset) => ({ ...each, reset })));

  it.each(cases)(
    'at $name, cut $reset it was done (function existed: $prepare)',
    async ({ prepare, write, reset }) => {
      const state = await stateAfter(prepare, write, reset);
      const sha256 = Buffer.from((prepare ? otherArtifact : artifact).sha256, 'hex').toString('base64');
      expect(state).toEqual({
        failed: true,
        idle: true,
        memoryMb: 1024,
        live: [sha256, 1024],
        warm: 1,
        label: 'b',
        reserved: 2,
        events: 1,
        code: true,
      });
    },
  );
});
