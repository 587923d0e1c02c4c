/**
 * The functions of the fake Lambda, with the state machines of the real one. A change stays in progress for a number
 * of reads instead of seconds, so that tests need no time. What is imitated, and where it is described:
 * State, LastUpdateStatus (developer guide, "Lambda function states"), RevisionId and CodeSha256 (API reference,
 * UpdateFunctionCode, PublishVersion), aliases and provisioned concurrency (API reference).
 */
import { createHash, randomUUID } from 'node:crypto';

export type Json = Record<string, unknown>;

/** A refusal in AWS's form. */
export class AwsRefusal extends Error {
  readonly status: number;
  readonly type: string;
  readonly more: Json;

  constructor(status: number, type: string, message: string, more: Json = {}) {
    super(message);
    this.status = status;
    this.type = type;
    this.more = more;
  }
}

export const invalid = (message: string) => new AwsRefusal(400, 'InvalidParameterValueException', message);

export interface FakeFunction {
  /** `$LATEST`, as the API shows it. */
  configuration: Json;
  /** By number, from 1. */
  readonly versions: Json[];
  readonly aliases: Map<string, Json>;
  readonly provisioned: Map<string, { requested: number; reads: number }>;
  tags: Record<string, string>;
  reserved: number | undefined;
  events: Map<string, Json>;
  /** How many more reads see it in progress. */
  busyReads: number;
  /** Calls in flight, and instances that have started. */
  inFlight: number;
  instances: number;
  readonly log: { readonly id: string; readonly timestamp: number; readonly message: string }[];
}

export interface FunctionsOptions {
  readonly region: string;
  /** How many reads see a create or an update in progress. */
  readonly settleReads: number;
  /** How many creates are refused because the role is too new. */
  roleUnknownFor: number;
  /** How a create or update ends. */
  readonly outcome?: ((name: string) => { code: string; reason: string } | undefined) | undefined;
  /** The code in S3, by bucket and key. */
  readonly objects: ReadonlyMap<string, Uint8Array>;
}

const RUNTIMES = /^(nodejs(22|24|26)\.x|python3\.1[345]|provided\.al2(023)?)$/;

export class FakeFunctions {
  readonly options: FunctionsOptions;
  readonly #functions = new Map<string, FakeFunction>();

  constructor(options: FunctionsOptions) {
    this.options = options;
  }

  get(name: string): FakeFunction {
    const found = this.#functions.get(name);
    if (found !== undefined) return found;
    throw new AwsRefusal(404, 'ResourceNotFoundException', `Function not found: ${this.#arn(name)}`);
  }

  find(name: string): FakeFunction | undefined {
    return this.#functions.get(name);
  }

  names(): string[] {
    return [...this.#functions.keys()].sort();
  }

  byArn(arn: string): FakeFunction {
    return this.get(arn.split(':')[6] ?? '');
  }

  create(input: Json): Json {
    const name = String(input['FunctionName']);
    if (this.options.roleUnknownFor > 0) {
      this.options.roleUnknownFor -= 1;
      throw invalid('The role defined for the function cannot be assumed by Lambda.');
    }
    if (this.#functions.has(name))
      throw new AwsRefusal(409, 'ResourceConflictException', `Function already exist: ${name}`);
    checkRuntime(input['Runtime']);
    const { Code, Tags, Publish: _, ...settings } = input;
    const configuration: Json = {
      ...shown(settings),
      FunctionArn: this.#arn(name),
      Version: '$LATEST',
      PackageType: 'Zip',
      State: 'Pending',
      StateReason: 'The function is being created.',
      StateReasonCode: 'Creating',
      ...this.#code(Code as Json),
    };
    const created: FakeFunction = {
      configuration,
      versions: [],
      aliases: new Map(),
      provisioned: new Map(),
      tags: { ...(Tags as Record<string, string>) },
      reserved: undefined,
      events: new Map(),
      busyReads: this.options.settleReads,
      inFlight: 0,
      instances: 0,
      log: [],
    };
    touch(created);
    this.#functions.set(name, created);
    return { ...configuration };
  }

  updateCode(name: string, input: Json): Json {
    const target = this.#changeable(name, input['RevisionId']);
    if (input['DryRun'] !== true) {
      Object.assign(target.configuration, this.#code(input));
      if (input['Architectures'] !== undefined)
        target.configuration['Architectures'] = input['Architectures'];
      this.#startUpdate(target);
    }
    return { ...target.configuration };
  }

  updateConfiguration(name: string, input: Json): Json {
    const target = this.#changeable(name, input['RevisionId']);
    const { FunctionName: _name, RevisionId: _revision, ...settings } = input;
    if (settings['Runtime'] !== undefined) checkRuntime(settings['Runtime']);
    Object.assign(target.configuration, shown(settings));
    this.#startUpdate(target);
    return { ...target.configuration };
  }

  /** What a reader sees now; the next reads see progress. */
  read(name: string, qualifier: string | undefined): Json {
    const target = this.get(name);
    if (qualifier !== undefined && qualifier !== '$LATEST') return { ...this.version(name, qualifier) };
    if (target.busyReads > 0) target.busyReads -= 1;
    else this.#settle(name, target);
    return { ...target.configuration };
  }

  /** The version behind a number or an alias. */
  version(name: string, qualifier: string): Json {
    const target = this.get(name);
    const number = target.aliases.get(qualifier)?.['FunctionVersion'] ?? qualifier;
    if (number === '$LATEST') return target.configuration;
    const found = target.versions[Number(number) - 1];
    if (found !== undefined) return found;
    throw new AwsRefusal(
      404,
      'ResourceNotFoundException',
      `Function not found: ${this.#arn(name)}:${qualifier}`,
    );
  }

  publish(name: string, input: Json): Json {
    const target = this.#changeable(name, input['RevisionId']);
    if (input['CodeSha256'] !== undefined && input['CodeSha256'] !== target.configuration['CodeSha256']) {
      throw invalid('CodeSHA256 is different from the code of $LATEST');
    }
    const last = target.versions.at(-1);
    const content = ({ Version: _v, FunctionArn: _a, RevisionId: _r, LastModified: _l, ...rest }: Json) =>
      JSON.stringify(rest);
    if (last !== undefined && content(last) === content(target.configuration)) return { ...last };
    const Version = String(target.versions.length + 1);
    const published: Json = {
      ...target.configuration,
      Version,
      FunctionArn: `${this.#arn(name)}:${Version}`,
      RevisionId: randomUUID(),
    };
    target.versions.push(published);
    return { ...published };
  }

  delete(name: string): void {
    const target = this.get(name);
    if (isBusy(target)) throw inProgress(target);
    this.#functions.delete(name);
  }

  #changeable(name: string, revision: unknown): FakeFunction {
    const target = this.get(name);
    if (isBusy(target)) throw inProgress(target);
    if (revision !== undefined && revision !== target.configuration['RevisionId']) throw drifted();
    return target;
  }

  #startUpdate(target: FakeFunction): void {
    target.configuration['LastUpdateStatus'] = 'InProgress';
    target.busyReads = this.options.settleReads;
    touch(target);
  }

  #settle(name: string, target: FakeFunction): void {
    const { configuration } = target;
    const failure = this.options.outcome?.(name);
    const wasPending = configuration['State'] === 'Pending';
    if (!wasPending && configuration['LastUpdateStatus'] !== 'InProgress') return;
    delete configuration['StateReason'];
    delete configuration['StateReasonCode'];
    delete configuration['LastUpdateStatusReason'];
    delete configuration['LastUpdateStatusReasonCode'];
    if (wasPending) configuration['State'] = failure === undefined ? 'Active' : 'Failed';
    configuration['LastUpdateStatus'] = failure === undefined ? 'Successful' : 'Failed';
    if (failure !== undefined) {
      const field = wasPending ? 'State' : 'LastUpdateStatus';
      configuration[`${field}Reason`] = failure.reason;
      configuration[`${field}ReasonCode`] = failure.code;
      if (wasPending) {
        configuration['LastUpdateStatusReason'] = failure.reason;
        configuration['LastUpdateStatusReasonCode'] = failure.code;
      }
    }
    configuration['RevisionId'] = randomUUID();
  }

  #code(code: Json): Json {
    const bytes =
      code['S3Bucket'] === undefined
        ? Buffer.from(String(code['ZipFile']), 'base64')
        : this.options.objects.get(`${String(code['S3Bucket'])}/${String(code['S3Key'])}`);
    if (bytes === undefined) throw invalid('Error occurred while GetObject. S3 Error Code: NoSuchKey.');
    if (Buffer.from(bytes).toString('latin1', 0, 2) !== 'PK') throw invalid('Could not unzip uploaded file.');
    return { CodeSha256: createHash('sha256').update(bytes).digest('base64'), CodeSize: bytes.length };
  }

  #arn(name: string): string {
    return `arn:aws:lambda:${this.options.region}:123456789012:function:${name}`;
  }
}

export function isBusy({ configuration }: FakeFunction): boolean {
  return configuration['State'] === 'Pending' || configuration['LastUpdateStatus'] === 'InProgress';
}

export function drifted(): AwsRefusal {
  const message =
    'The Revision Id provided does not match the latest Revision Id. Call the GetFunction API to retrieve the latest Revision Id';
  return new AwsRefusal(412, 'PreconditionFailedException', message);
}

function inProgress({ configuration }: FakeFunction): AwsRefusal {
  const message = `The operation cannot be performed at this time. An update is in progress for resource: ${String(configuration['FunctionArn'])}`;
  return new AwsRefusal(409, 'ResourceConflictException', message);
}

function touch({ configuration }: FakeFunction): void {
  configuration['RevisionId'] = randomUUID();
  configuration['LastModified'] = new Date().toISOString().replace('Z', '+0000');
}

function checkRuntime(runtime: unknown): void {
  if (!RUNTIMES.test(String(runtime)))
    throw invalid(`Value ${String(runtime)} at 'runtime' failed to satisfy constraint`);
}

/** Settings in the words of an answer. */
function shown(settings: Json): Json {
  const { Layers, VpcConfig, KMSKeyArn, DeadLetterConfig, ...rest } = settings;
  return {
    ...rest,
    ...(Array.isArray(Layers) && { Layers: Layers.map((Arn) => ({ Arn, CodeSize: 1 })) }),
    ...(VpcConfig !== undefined && { VpcConfig: { ...(VpcConfig as Json), VpcId: 'vpc-1' } }),
    ...(KMSKeyArn !== undefined && { KMSKeyArn: KMSKeyArn === '' ? undefined : KMSKeyArn }),
    ...(DeadLetterConfig !== undefined && {
      DeadLetterConfig: (DeadLetterConfig as Json)['TargetArn'] === '' ? undefined : DeadLetterConfig,
    }),
  };
}
