/** The operations of the fake Lambda: method and path as in the API model of 2015-03-31, and what each does. */
import {
  AwsRefusal,
  drifted,
  type FakeFunctions,
  invalid,
  isBusy,
  type Json,
} from './aws-lambda-functions.js';

export interface OperationInput {
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly body: Json;
}

export interface Operation {
  readonly name: string;
  readonly method: string;
  readonly path: RegExp;
  readonly status: number;
  /** Changes something. */
  readonly writes: boolean;
  /** Undefined for an empty reply. */
  run(functions: FakeFunctions, input: OperationInput): Json | undefined;
}

const NAME = '/functions/([^/]+)';

function operation(
  name: string,
  method: string,
  path: string,
  status: number,
  run: Operation['run'],
): Operation {
  return { name, method, path: new RegExp(`^${path}$`), status, writes: method !== 'GET', run };
}

const first = ({ path }: OperationInput) => path[0] ?? '';
const second = ({ path }: OperationInput) => path[1] ?? '';
const qualifierOf = ({ query }: OperationInput) => query.get('Qualifier') ?? undefined;

export const OPERATIONS: readonly Operation[] = [
  operation('CreateFunction', 'POST', '/2015-03-31/functions/?', 201, (functions, { body }) =>
    functions.create(body),
  ),
  operation('ListFunctions', 'GET', '/2015-03-31/functions/?', 200, (functions, { query }) => {
    const limit = Number(query.get('MaxItems') ?? 50);
    const after = query.get('Marker') ?? '';
    const rest = functions.names().filter((name) => name > after);
    const page = rest.slice(0, Math.min(limit, 50));
    const next = rest.length > page.length ? { NextMarker: page.at(-1) } : {};
    // A list states neither State nor LastUpdateStatus (API reference, ListFunctions).
    const brief = (name: string) => {
      const { State: _s, LastUpdateStatus: _l, ...rest } = functions.get(name).configuration;
      return rest;
    };
    return { Functions: page.map(brief), ...next };
  }),
  operation('GetFunction', 'GET', `/2015-03-31${NAME}`, 200, (functions, input) => {
    const configuration = functions.read(first(input), qualifierOf(input));
    const { tags, reserved } = functions.get(first(input));
    return {
      Configuration: configuration,
      Code: { RepositoryType: 'S3', Location: 'https://example.com/code.zip' },
      ...(Object.keys(tags).length > 0 && { Tags: tags }),
      ...(reserved !== undefined && { Concurrency: { ReservedConcurrentExecutions: reserved } }),
    };
  }),
  operation('DeleteFunction', 'DELETE', `/2015-03-31${NAME}`, 204, (functions, input) => {
    functions.delete(first(input));
    return undefined;
  }),
  operation('GetFunctionConfiguration', 'GET', `/2015-03-31${NAME}/configuration`, 200, (functions, input) =>
    functions.read(first(input), qualifierOf(input)),
  ),
  operation(
    'UpdateFunctionConfiguration',
    'PUT',
    `/2015-03-31${NAME}/configuration`,
    200,
    (functions, input) => functions.updateConfiguration(first(input), input.body),
  ),
  operation('UpdateFunctionCode', 'PUT', `/2015-03-31${NAME}/code`, 200, (functions, input) =>
    functions.updateCode(first(input), input.body),
  ),
  operation('PublishVersion', 'POST', `/2015-03-31${NAME}/versions`, 201, (functions, input) =>
    functions.publish(first(input), input.body),
  ),
  operation('GetAlias', 'GET', `/2015-03-31${NAME}/aliases/([^/]+)`, 200, (functions, input) =>
    alias(functions, input),
  ),
  operation('CreateAlias', 'POST', `/2015-03-31${NAME}/aliases`, 201, (functions, input) => {
    const target = functions.get(first(input));
    const name = String(input.body['Name']);
    if (target.aliases.has(name))
      throw new AwsRefusal(409, 'ResourceConflictException', `Alias already exists: ${name}`);
    functions.version(first(input), String(input.body['FunctionVersion']));
    const { FunctionName: _, ...fields } = input.body;
    target.aliases.set(name, {
      ...fields,
      AliasArn: `${String(target.configuration['FunctionArn'])}:${name}`,
      RevisionId: crypto.randomUUID(),
    });
    return alias(functions, { ...input, path: [first(input), name] });
  }),
  operation('UpdateAlias', 'PUT', `/2015-03-31${NAME}/aliases/([^/]+)`, 200, (functions, input) => {
    const current = alias(functions, input);
    const { RevisionId, FunctionVersion } = input.body;
    if (RevisionId !== undefined && RevisionId !== current['RevisionId']) throw drifted();
    functions.version(first(input), String(FunctionVersion));
    functions
      .get(first(input))
      .aliases.set(second(input), { ...current, FunctionVersion, RevisionId: crypto.randomUUID() });
    return alias(functions, input);
  }),
  operation('PutFunctionConcurrency', 'PUT', `/2017-10-31${NAME}/concurrency`, 200, (functions, input) => {
    const reserved = Number(input.body['ReservedConcurrentExecutions']);
    functions.get(first(input)).reserved = reserved;
    return { ReservedConcurrentExecutions: reserved };
  }),
  operation(
    'DeleteFunctionConcurrency',
    'DELETE',
    `/2017-10-31${NAME}/concurrency`,
    204,
    (functions, input) => {
      functions.get(first(input)).reserved = undefined;
      return undefined;
    },
  ),
  operation(
    'PutProvisionedConcurrencyConfig',
    'PUT',
    `/2019-09-30${NAME}/provisioned-concurrency`,
    202,
    (functions, input) => {
      const qualifier = qualifierOf(input);
      if (qualifier === undefined || qualifier === '$LATEST')
        throw invalid('Provisioned Concurrency Configs cannot be applied to unpublished function versions.');
      const target = functions.get(first(input));
      functions.version(first(input), qualifier);
      const requested = Number(input.body['ProvisionedConcurrentExecutions']);
      target.provisioned.set(qualifier, { requested, reads: functions.options.settleReads });
      return provisioned(functions, input);
    },
  ),
  operation(
    'GetProvisionedConcurrencyConfig',
    'GET',
    `/2019-09-30${NAME}/provisioned-concurrency`,
    200,
    (functions, input) => {
      const found = functions.get(first(input)).provisioned.get(qualifierOf(input) ?? '');
      const reply = provisioned(functions, input);
      if (found !== undefined && found.reads > 0) found.reads -= 1;
      return reply;
    },
  ),
  operation(
    'DeleteProvisionedConcurrencyConfig',
    'DELETE',
    `/2019-09-30${NAME}/provisioned-concurrency`,
    204,
    (functions, input) => {
      functions.get(first(input)).provisioned.delete(qualifierOf(input) ?? '');
      return undefined;
    },
  ),
  operation(
    'PutFunctionEventInvokeConfig',
    'PUT',
    `/2019-09-25${NAME}/event-invoke-config`,
    200,
    (functions, input) => {
      const target = functions.get(first(input));
      target.events.set(qualifierOf(input) ?? '$LATEST', input.body);
      return {
        ...input.body,
        FunctionArn: target.configuration['FunctionArn'],
        LastModified: Math.floor(Date.now() / 1000),
      };
    },
  ),
  operation('TagResource', 'POST', '/2017-03-31/tags/([^/]+)', 204, (functions, input) => {
    Object.assign(functions.byArn(first(input)).tags, input.body['Tags']);
    return undefined;
  }),
  operation('UntagResource', 'DELETE', '/2017-03-31/tags/([^/]+)', 204, (functions, input) => {
    const { tags } = functions.byArn(first(input));
    for (const key of input.query.getAll('tagKeys')) delete tags[key];
    return undefined;
  }),
];

/** Whether a function can be called: only when it is up (developer guide, "Lambda function states"). */
export function checkInvocable(functions: FakeFunctions, name: string, qualifier: string | undefined): Json {
  const target = functions.get(name);
  const configuration = functions.version(name, qualifier ?? '$LATEST');
  if (isBusy(target) && target.configuration['State'] === 'Pending') {
    throw new AwsRefusal(
      409,
      'ResourceConflictException',
      'The operation cannot be performed at this time. The function is currently in the following state: Pending',
    );
  }
  return configuration;
}

function alias(functions: FakeFunctions, input: OperationInput): Json {
  const found = functions.get(first(input)).aliases.get(second(input));
  if (found !== undefined) return { ...found };
  throw new AwsRefusal(404, 'ResourceNotFoundException', `Cannot find alias arn: ${second(input)}`);
}

function provisioned(functions: FakeFunctions, input: OperationInput): Json {
  const found = functions.get(first(input)).provisioned.get(qualifierOf(input) ?? '');
  if (found === undefined) {
    throw new AwsRefusal(
      404,
      'ProvisionedConcurrencyConfigNotFoundException',
      'No Provisioned Concurrency Config found for this function',
    );
  }
  const ready = found.reads === 0;
  return {
    RequestedProvisionedConcurrentExecutions: found.requested,
    AvailableProvisionedConcurrentExecutions: ready ? found.requested : 0,
    AllocatedProvisionedConcurrentExecutions: ready ? found.requested : 0,
    Status: ready ? 'READY' : 'IN_PROGRESS',
    LastModified: new Date().toISOString(),
  };
}
