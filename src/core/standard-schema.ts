/**
 * The part of the Standard Schema v1 interface we call (https://standardschema.dev), written out as the
 * standard asks: any validator that follows it (zod, valibot, arktype, …) fits without an import.
 */
import { FaasError } from './errors.js';

/** A validator that takes an `Input` and makes an `Output` of it. */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** The name is the standard's, so that it stays out of the way of a library's own. */
  readonly '~standard': {
    readonly version: 1;
    /** The library's name. */
    readonly vendor: string;
    /** Resolves to `{ value }`, or to `{ issues }`: it does not throw. */
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** For the compiler only; never there at run time. */
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
 * @param executed `no` for an input, `yes` for an output: the function has run by then
 * @throws {FaasError} INVALID_REQUEST that lists up to five issues with their paths; what the schema itself throws is
 * INVALID_REQUEST for an input and FUNCTION_ERROR for an output
 */
export async function validate<Output>(
  schema: StandardSchema<unknown, Output>,
  value: unknown,
  what: string,
  executed: 'no' | 'yes',
): Promise<Output> {
  let outcome: SchemaResult<Output>;
  try {
    outcome = await schema['~standard'].validate(value);
  } catch (cause) {
    throw new FaasError({
      code: executed === 'no' ? 'INVALID_REQUEST' : 'FUNCTION_ERROR',
      executed,
      message: `${what} could not be checked, since its schema threw: ${String(cause)}. Mend the schema.`,
      cause,
    });
  }
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
