/**
 * The part of the Standard Schema v1 interface we call (https://standardschema.dev), written out as the
 * standard asks: any validator that follows it (zod, valibot, arktype, …) fits without an import.
 */
import { FaasError } from './errors.js';

export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<SchemaIssue> };

interface SchemaIssue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/**
 * Validates `value`; resolves to the schema's (possibly transformed) output.
 * @throws {FaasError} INVALID_REQUEST that lists up to five issues with their paths.
 */
export async function validate<Output>(
  schema: StandardSchema<unknown, Output>,
  value: unknown,
  what: string,
  executed: 'no' | 'yes',
): Promise<Output> {
  const outcome = await schema['~standard'].validate(value);
  if (outcome.issues === undefined) return outcome.value;
  const shown = outcome.issues.slice(0, 5).map(describeIssue).join('; ');
  const more = outcome.issues.length > 5 ? `; and ${outcome.issues.length - 5} more` : '';
  throw new FaasError({
    code: 'INVALID_REQUEST',
    executed,
    message: `${what} does not match its schema: ${shown}${more}`,
  });
}

function describeIssue(issue: SchemaIssue): string {
  const path = (issue.path ?? []).map((step) => String(typeof step === 'object' ? step.key : step)).join('.');
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}
