/** What a deploy asks for, checked before anything is created: honoured by Lambda, or refused by name. */
import type { FunctionCode, UpdateFunctionConfigurationCommandInput } from '@aws-sdk/client-lambda';
import type { Artifact, NumberRange } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { ConfigCheck } from '../shared/config-check.js';
import { indexZip } from '../shared/zip-index.js';
import { environment } from './environment.js';
import { checkLabels } from './labels.js';
import {
  EPHEMERAL_STORAGE_MB,
  EVENT_AGE_SECS,
  EVENT_RETRIES,
  MAX_DIRECT_ZIP_BYTES,
  MAX_UNZIPPED_BYTES,
} from './limits.js';
import {
  type AwsFunctionOptions,
  functionNameOf,
  type LambdaFunctionConfig,
  PROVIDER,
  type Settings,
} from './options.js';

/** The settings of a function that one call of the API replaces, complete: what is left out would stay as it was. */
export type Configuration = {
  readonly [Field in
    | 'Role'
    | 'Runtime'
    | 'Handler'
    | 'Description'
    | 'Timeout'
    | 'MemorySize'
    | 'Environment'
    | 'VpcConfig'
    | 'DeadLetterConfig'
    | 'EphemeralStorage'
    | 'KMSKeyArn'
    | 'Layers'
    | 'LoggingConfig'
    | 'TracingConfig']: NonNullable<UpdateFunctionConfigurationCommandInput[Field]>;
};

/** What happens to asynchronous calls that fail. */
export interface EventSettings {
  readonly MaximumRetryAttempts: number;
  readonly MaximumEventAgeInSeconds: number;
  readonly onFailureArn: string | undefined;
  readonly onSuccessArn: string | undefined;
}

/** The function as it shall be. */
export interface FunctionSpec {
  readonly jobId: JobId;
  readonly functionName: string;
  readonly artifact: Artifact;
  /** As Lambda states it. */
  readonly codeSha256: string;
  /** How the code gets there: in the request, or through the bucket. */
  readonly viaBucket: boolean;
  readonly architecture: NonNullable<AwsFunctionOptions['architecture']>;
  readonly configuration: Configuration;
  readonly labels: Readonly<Record<string, string>>;
  readonly maxConcurrency: number | undefined;
  readonly keepWarm: number;
  /** Undefined for AWS's own. */
  readonly events: EventSettings | undefined;
}

/** Marks a package made for this executor, whose handler knows warm pings and secrets. */
export const ENTRY_MARK = 'jobferry-lambda.json';

const FIELDS: ReadonlySet<string> = new Set<keyof LambdaFunctionConfig>([
  'memoryMb',
  'timeoutSecs',
  'env',
  'maxConcurrency',
  'keepWarm',
  'secrets',
  'labels',
  'aws',
]);
const AWS_FIELDS: ReadonlySet<string> = new Set<keyof AwsFunctionOptions>([
  'role',
  'architecture',
  'runtime',
  'handler',
  'streaming',
  'layers',
  'vpc',
  'ephemeralStorageMb',
  'deadLetterArn',
  'onFailureArn',
  'onSuccessArn',
  'eventRetries',
  'eventMaxAgeSecs',
  'logFormat',
  'tracing',
  'kmsKeyArn',
]);

/** @throws {FaasError} UNSUPPORTED, CONFIG or PAYLOAD_TOO_LARGE, with the name of the field. */
export function functionSpec(
  settings: Settings,
  jobId: JobId,
  artifact: Artifact,
  partial: Partial<LambdaFunctionConfig>,
): FunctionSpec {
  const functionName = functionNameOf(settings, jobId);
  const check = new ConfigCheck(PROVIDER, functionName);
  for (const field of Object.keys(partial)) {
    if (!FIELDS.has(field)) check.refuse('UNSUPPORTED', `Lambda has no \`${field}\`. Leave it out`);
  }
  const aws: AwsFunctionOptions = { ...settings.aws, ...partial.aws };
  for (const field of Object.keys(aws)) {
    if (!AWS_FIELDS.has(field))
      check.refuse('UNSUPPORTED', `\`aws\` has no \`${field}\`. Known: ${[...AWS_FIELDS].join(', ')}`);
  }
  const { memoryMb = 512, timeoutSecs = 300, maxConcurrency, keepWarm = 0, labels = {} } = partial;
  const inRange = (field: string, value: number | undefined, range: NumberRange | undefined) => {
    if (value !== undefined) check.inRange(field, value, range);
  };
  inRange('memoryMb', memoryMb, settings.limits.memoryMb);
  inRange('timeoutSecs', timeoutSecs, settings.limits.timeoutSecs);
  inRange('maxConcurrency', maxConcurrency, settings.limits.maxConcurrency);
  inRange('keepWarm', keepWarm, { min: 0, max: settings.limits.maxConcurrency?.max ?? 1000 });
  inRange('aws.ephemeralStorageMb', aws.ephemeralStorageMb, EPHEMERAL_STORAGE_MB);
  inRange('aws.eventRetries', aws.eventRetries, EVENT_RETRIES);
  inRange('aws.eventMaxAgeSecs', aws.eventMaxAgeSecs, EVENT_AGE_SECS);
  if (keepWarm > 0 && settings.alias === undefined) {
    check.refuse(
      'CONFIG',
      '`keepWarm` needs the executor option `alias`: AWS keeps instances of a version, never of $LATEST',
    );
  }
  if (aws.role === undefined)
    check.refuse('CONFIG', '`aws.role` is missing: the ARN of the role the function runs as');
  if ((aws.layers?.length ?? 0) > 5) check.refuse('CONFIG', '`aws.layers` has more than five layers');
  checkLabels(labels, check);
  const kind = packageKind(artifact, settings, aws, check);
  return {
    jobId,
    functionName,
    artifact,
    codeSha256: Buffer.from(artifact.sha256, 'hex').toString('base64'),
    viaBucket:
      artifact.bytes.length > Math.min(settings.upload?.aboveBytes ?? Infinity, MAX_DIRECT_ZIP_BYTES),
    architecture: aws.architecture ?? 'x86_64',
    configuration: {
      Role: aws.role ?? '',
      Runtime: (aws.runtime ?? kind.runtime) as NonNullable<Configuration['Runtime']>,
      Handler: aws.handler ?? kind.handler,
      Description: `jobferry job ${jobId}`,
      Timeout: timeoutSecs,
      MemorySize: memoryMb,
      Environment: { Variables: environment(jobId, partial, kind.hasEntry, check) },
      VpcConfig: {
        SubnetIds: [...(aws.vpc?.subnetIds ?? [])],
        SecurityGroupIds: [...(aws.vpc?.securityGroupIds ?? [])],
      },
      DeadLetterConfig: { TargetArn: aws.deadLetterArn ?? '' },
      EphemeralStorage: { Size: aws.ephemeralStorageMb ?? EPHEMERAL_STORAGE_MB.min },
      KMSKeyArn: aws.kmsKeyArn ?? '',
      Layers: [...(aws.layers ?? [])],
      LoggingConfig: { LogFormat: aws.logFormat ?? 'Text' },
      TracingConfig: { Mode: aws.tracing ?? 'PassThrough' },
    },
    labels,
    maxConcurrency,
    keepWarm,
    events: eventSettings(aws),
  };
}

function packageKind(artifact: Artifact, settings: Settings, aws: AwsFunctionOptions, check: ConfigCheck) {
  if (artifact.bytes.length > MAX_DIRECT_ZIP_BYTES && settings.upload === undefined) {
    const sizes = `the package has ${artifact.bytes.length} bytes, and ${MAX_DIRECT_ZIP_BYTES} fit into a request`;
    check.refuse('PAYLOAD_TOO_LARGE', `${sizes}. Name a bucket in the executor option \`upload\``);
  }
  const { names, unzippedBytes } = indexZip(artifact.bytes);
  if (unzippedBytes > MAX_UNZIPPED_BYTES) {
    check.refuse(
      'PAYLOAD_TOO_LARGE',
      `the package has ${unzippedBytes} bytes unpacked, the limit is ${MAX_UNZIPPED_BYTES}`,
    );
  }
  const hasEntry = names.has(ENTRY_MARK);
  if (aws.streaming && !(hasEntry && aws.handler === undefined)) {
    check.refuse(
      'UNSUPPORTED',
      '`aws.streaming` needs the handler that packageHandler makes for the target aws-lambda. Package it so, and leave `aws.handler` out',
    );
  }
  if (names.has('index.mjs') || names.has('index.js')) {
    return { runtime: 'nodejs24.x', handler: aws.streaming ? 'index.stream' : 'index.handler', hasEntry };
  }
  if (!names.has('bootstrap') && (aws.runtime === undefined || aws.handler === undefined)) {
    check.refuse(
      'CONFIG',
      'the package holds neither `index.mjs` nor `bootstrap`. Name `aws.runtime` and `aws.handler`',
    );
  }
  // A bundle for platforms that have Node.js on their PATH, which AWS's bare runtimes do not.
  if (names.has('faas.json') && aws.runtime === undefined) {
    check.refuse(
      'CONFIG',
      'the package was not made for Lambda. Use packageHandler with target "aws-lambda", or name `aws.runtime`',
    );
  }
  return { runtime: 'provided.al2023', handler: 'bootstrap', hasEntry };
}

function eventSettings(aws: AwsFunctionOptions): EventSettings | undefined {
  const { eventRetries, eventMaxAgeSecs, onFailureArn, onSuccessArn } = aws;
  if ([eventRetries, eventMaxAgeSecs, onFailureArn, onSuccessArn].every((value) => value === undefined))
    return undefined;
  return {
    MaximumRetryAttempts: eventRetries ?? EVENT_RETRIES.max,
    MaximumEventAgeInSeconds: eventMaxAgeSecs ?? EVENT_AGE_SECS.max,
    onFailureArn,
    onSuccessArn,
  };
}

/** The code as a request takes it. */
export function codeOf(
  spec: FunctionSpec,
  object: { bucket: string; key: string } | undefined,
): FunctionCode {
  return object === undefined
    ? { ZipFile: spec.artifact.bytes }
    : { S3Bucket: object.bucket, S3Key: object.key };
}
