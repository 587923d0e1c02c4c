/** One call as a request: its headers, and its bytes in the encoding the platform takes. */
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import type { JobCall, Metadata } from '../../core/job.js';
import { CALL_ID, encodeMetadata, MAX_METADATA_HEADER_BYTES, OCTETS } from '../shared/call-headers.js';
import type { Message } from './client.js';
import type { Offer } from './discovery.js';
import { PROVIDER } from './options.js';
import type { Route } from './routes.js';
import { encodeCall } from './wire.js';

/** @throws {FaasError} `executed: no` for a call that cannot be sent. */
export function callMessage(
  route: Route,
  call: JobCall,
  context: CallContext,
  offer: Offer,
  maxPayloadBytes = Infinity,
): Message & { readonly headers: string[] } {
  const { args, callId, jobId } = call;
  if (args.length > maxPayloadBytes) {
    const why = `the input has ${args.length} bytes, the limit is ${maxPayloadBytes}`;
    throw refuse(route, 'PAYLOAD_TOO_LARGE', why);
  }
  if (!CALL_ID.test(callId)) {
    throw refuse(route, 'INVALID_REQUEST', 'the call id must have 1 to 128 characters of [A-Za-z0-9._:-]');
  }
  // Raw bytes are never slower than arrays of integers, however few there are.
  const binary = offer.features.has('binary');
  const headers = [
    'content-type',
    binary ? OCTETS : 'application/json',
    'x-faas-call-id',
    callId,
    'x-faas-attempt',
    String(call.attempt),
  ];
  if (binary) headers.push('accept', OCTETS, 'x-faas-job-id', String(jobId));
  const deadline = deadlineOf(call, context);
  if (deadline !== Infinity) {
    const remainingMs = Math.ceil(deadline - Date.now());
    if (remainingMs <= 0) throw refuse(route, 'TIMEOUT', 'the deadline passed before the request was sent');
    headers.push('x-faas-timeout-ms', String(remainingMs));
  }
  for (const _ in call.metadata) {
    headers.push('x-faas-metadata', metadataHeader(route, call.metadata));
    break;
  }
  return {
    method: 'POST',
    path: route.invokePath,
    headers,
    body: binary ? args : encodeCall(jobId, args),
  };
}

/** Epoch milliseconds. */
export function deadlineOf(call: JobCall, context: CallContext): number {
  return Math.min(call.deadline, context.deadline);
}

function metadataHeader(route: Route, metadata: Metadata): string {
  const value = encodeMetadata(metadata);
  if (value.length <= MAX_METADATA_HEADER_BYTES) return value;
  throw refuse(
    route,
    'PAYLOAD_TOO_LARGE',
    `the metadata takes ${value.length} bytes as a header, the limit is ${MAX_METADATA_HEADER_BYTES}: put data into the input`,
  );
}

/** The error of a call that was not sent. */
function refuse(
  route: Route,
  code: 'PAYLOAD_TOO_LARGE' | 'INVALID_REQUEST' | 'TIMEOUT',
  why: string,
): FaasError {
  const { functionName } = route;
  const message = `${functionName} was not called on ${PROVIDER}: ${why}.`;
  return new FaasError({ code, executed: 'no', provider: PROVIDER, functionName, message });
}
