/** AWS Lambda for the CLI: options from the environment, as the AWS tools read it. */
import type { FaasExecutor } from '../../index.js';
import type { Check, CliProvider, Env } from '../provider.js';
import { checkPackage } from '../provider.js';

export const awsLambda: CliProvider = {
  name: 'aws-lambda',
  target: 'aws-lambda',
  variables: {
    AWS_REGION: 'where the functions live',
    'AWS_ACCESS_KEY_ID, AWS_PROFILE, …': 'credentials, by the chain that all AWS tools use',
    JOBFERRY_AWS_ROLE: 'ARN of the role that functions run as; deploys need it',
    JOBFERRY_AWS_BUCKET: 'where packages over 50 MB go',
    JOBFERRY_AWS_ALIAS: 'deploys publish a version and move this alias; calls go to it',
    AWS_ENDPOINT_URL_LAMBDA: 'another server than AWS: an emulator, a VPC endpoint',
  },
  async open(env: Env, onStep): Promise<FaasExecutor> {
    const { LambdaExecutor } = await import('../../executors/aws-lambda/index.js');
    const { JOBFERRY_AWS_ROLE: role, JOBFERRY_AWS_BUCKET: bucket, JOBFERRY_AWS_ALIAS: alias } = env;
    return new LambdaExecutor({
      ...(role && { aws: { role } }),
      ...(bucket && { upload: { bucket } }),
      ...(alias && { alias }),
      ...(onStep && { onProgress: ({ step }) => onStep(step) }),
    });
  },
  doctor: async (env: Env) => [
    await checkPackage('@aws-sdk/client-lambda', () => import('@aws-sdk/client-lambda'), 'the life cycle'),
    await checkCredentials(),
    checkRole(env),
  ],
};

async function checkCredentials(): Promise<Check> {
  const name = 'aws-lambda credentials';
  try {
    const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
    const { accessKeyId } = await defaultProvider()();
    return { name, status: 'ok', message: `found, key …${accessKeyId.slice(-4)}` };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n', 1)[0] : String(error);
    return {
      name,
      status: 'fail',
      message: `${reason}. Set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
    };
  }
}

function checkRole({ JOBFERRY_AWS_ROLE: role }: Env): Check {
  const name = 'aws-lambda role';
  if (role) return { name, status: 'ok', message: role };
  return { name, status: 'warn', message: 'deploys need one: set JOBFERRY_AWS_ROLE to the ARN of a role' };
}
