/** Secrets of a deployed function: the environment holds their ARNs, and their values come when the function starts. */
import aws4 from 'aws4';
import { FaasError } from '../../core/errors.js';

/** Environment name -> ARN, as JSON: a deploy writes it. */
export const SECRETS_VARIABLE = 'JOBFERRY_SECRETS';
const TIMEOUT_MS = 5000;

type Environment = Record<string, string | undefined>;

/**
 * Puts every secret into `env` under its name.
 * @throws {FaasError} AUTH or UNAVAILABLE with the name of the secret; never a value
 */
export async function loadSecrets(env: Environment): Promise<void> {
  const references = env[SECRETS_VARIABLE];
  if (references === undefined) return;
  const entries = Object.entries(JSON.parse(references) as Record<string, string>);
  await Promise.all(
    entries.map(async ([name, arn]) => {
      env[name] = await fetchSecret(name, arn, env);
    }),
  );
}

/**
 * `arn:aws:secretsmanager:region:account:secret:name`, with `:key` at the end for one field of a JSON secret, or
 * `arn:aws:ssm:region:account:parameter/name`.
 */
async function fetchSecret(name: string, arn: string, env: Environment): Promise<string> {
  const parts = arn.split(':');
  const [, partition = 'aws', service, region = ''] = parts;
  if (service === 'ssm') {
    const reply = await ask(
      name,
      'ssm',
      'AmazonSSM.GetParameter',
      partition,
      region,
      { Name: arn, WithDecryption: true },
      env,
    );
    return textOf(name, (reply['Parameter'] as Record<string, unknown> | undefined)?.['Value']);
  }
  const SecretId = parts.slice(0, 7).join(':');
  const reply = await ask(
    name,
    'secretsmanager',
    'secretsmanager.GetSecretValue',
    partition,
    region,
    { SecretId },
    env,
  );
  const key = parts[7] ?? '';
  const text = textOf(name, reply['SecretString']);
  return key === '' ? text : textOf(name, fieldOf(text, key));
}

const ENDPOINTS = {
  ssm: 'AWS_ENDPOINT_URL_SSM',
  secretsmanager: 'AWS_ENDPOINT_URL_SECRETS_MANAGER',
} as const;

async function ask(
  name: string,
  service: keyof typeof ENDPOINTS,
  target: string,
  partition: string,
  region: string,
  input: object,
  env: Environment,
): Promise<Record<string, unknown>> {
  const suffix = partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com';
  const url = new URL(env[ENDPOINTS[service]] ?? `https://${service}.${region}.${suffix}`);
  const body = JSON.stringify(input);
  const { headers = {} } = aws4.sign(
    {
      service,
      region,
      method: 'POST',
      host: url.host,
      path: '/',
      body,
      headers: { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': target },
    },
    {
      accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
      ...(env['AWS_SESSION_TOKEN'] !== undefined && { sessionToken: env['AWS_SESSION_TOKEN'] }),
    },
  );
  const { Host: _, 'Content-Length': __, ...sent } = headers as Record<string, string>;
  let reply: Response;
  try {
    reply = await fetch(new URL('/', url), {
      method: 'POST',
      headers: sent,
      body,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    throw failed('UNAVAILABLE', name, `${url.origin} cannot be reached`, cause);
  }
  if (reply.ok) return (await reply.json()) as Record<string, unknown>;
  const type = reply.headers.get('x-amzn-errortype') ?? '';
  const advice = `HTTP ${reply.status} ${type}. Let the function's role read it`;
  throw failed(reply.status >= 500 ? 'UNAVAILABLE' : 'AUTH', name, advice);
}

function fieldOf(text: string, key: string): unknown {
  try {
    return (JSON.parse(text) as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw failed('AUTH', name, 'it holds no text there');
}

function failed(code: 'AUTH' | 'UNAVAILABLE', name: string, why: string, cause?: unknown): FaasError {
  return new FaasError({
    code,
    executed: 'no',
    message: `The secret ${name} could not be fetched: ${why}.`,
    cause,
  });
}
