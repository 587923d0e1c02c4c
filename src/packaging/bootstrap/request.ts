/** What a platform hands to a function -> the call the job sees. */
import { readByteArray } from '../../core/byte-array-json.js';
import { checkJobId, type JobCall, type Metadata } from '../../core/job.js';

/** How bytes stand in a JSON request; the answer uses the same. */
export type JsonForm = 'array' | 'base64';

/**
 * Reads `{job_id, args, call_id?, attempt?, deadline_ms?, metadata?}`. Only the first two are mandatory: a platform
 * of spec 1.0 sends nothing else. The events of the Lambda executor have `args_base64` in place of `args`.
 * @throws {TypeError} that names the field which is wrong.
 */
export function readRequest(text: Buffer, deadlineMs = Infinity): { call: JobCall; form: JsonForm } {
  const { fields, args, form } = readFields(text);
  return { call: toCall(fields, args, deadlineMs), form };
}

const LINE_END = 0x0a;
const LENGTH_KEY = '"args_length"';

/**
 * Reads the binary form of spec 1.1: one line of JSON with `args_length` instead of `args`, then the bytes as they
 * are. Undefined for anything else, which is the JSON form.
 * @throws {TypeError} when there are more or fewer bytes than announced, or a field is wrong.
 */
export function readBinaryRequest(stdin: Buffer): JobCall | undefined {
  const lineEnd = stdin.indexOf(LINE_END);
  if (lineEnd < 0) return undefined;
  const line = stdin.subarray(0, lineEnd);
  // Without the key it is a JSON text with line ends, which may be long: no need to parse its first line.
  if (!line.includes(LENGTH_KEY)) return undefined;
  const fields = parseLine(line);
  const length = fields?.['args_length'];
  if (fields === undefined || length === undefined || 'args' in fields) return undefined;
  const args = new Uint8Array(stdin.buffer, stdin.byteOffset + lineEnd + 1, stdin.length - lineEnd - 1);
  if (args.length === length) return toCall(fields, args, Infinity);
  throw new TypeError(
    `The request announces ${String(length)} bytes of args and holds ${args.length}: it was cut off or is no binary-1.`,
  );
}

type Fields = Record<string, unknown>;

function toCall(fields: Fields, args: Uint8Array, deadlineMs: number): JobCall {
  const { call_id: callId, attempt, deadline_ms: deadline } = fields;
  return {
    jobId: checkJobId(fields['job_id']),
    args,
    callId: typeof callId === 'string' ? callId : '',
    attempt: typeof attempt === 'number' ? attempt : 1,
    deadline: Math.min(typeof deadline === 'number' ? deadline : Infinity, deadlineMs),
    idempotent: false,
    metadata: readMetadata(fields['metadata']),
  };
}

/** Undefined for a line that is only a part of a JSON text. */
function parseLine(line: Buffer): Fields | undefined {
  try {
    return parseObject(line.toString('utf8'));
  } catch {
    return undefined;
  }
}

function readFields(text: Buffer): { fields: Fields; args: Uint8Array; form: JsonForm } {
  const fast = readFast(text);
  if (fast !== undefined) return { ...fast, form: 'array' };
  const fields = parseObject(text.toString('utf8'));
  const { args, args_base64: base64 } = fields;
  if (args === undefined && base64 !== undefined) return { fields, args: readBase64(base64), form: 'base64' };
  return { fields, args: readArgs(args), form: 'array' };
}

const ARGS_KEY = '"args":';

/** Cuts the array out, so that JSON.parse sees only the small rest; undefined when the text is not that plain. */
function readFast(text: Buffer): { fields: Fields; args: Uint8Array } | undefined {
  const key = text.indexOf(ARGS_KEY);
  if (key < 0) return undefined;
  const before = text.toString('utf8', 0, key);
  // Inside a string or a nested object it would be another "args".
  if (before.lastIndexOf('{') !== before.indexOf('{') || /[[\\]/.test(before)) return undefined;
  const array = readByteArray(text, key + ARGS_KEY.length);
  if (array === undefined) return undefined;
  const after = text.toString('utf8', array.end);
  // A second "args" would win in JSON.parse.
  if (after.includes('"args"')) return undefined;
  return { fields: parseObject(`${before}"args":[]${after}`), args: array.bytes };
}

function parseObject(text: string): Fields {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError('The request is not a JSON object.');
  }
  return value as Fields;
}

function readArgs(args: unknown): Uint8Array {
  if (!Array.isArray(args)) throw new TypeError('"args" of the request is not an array of integers 0-255.');
  const bytes = new Uint8Array(args.length);
  args.forEach((value: unknown, index) => {
    if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 255) {
      throw new TypeError(
        `"args" of the request holds something that is no integer 0-255 at index ${index}.`,
      );
    }
    bytes[index] = value as number;
  });
  return bytes;
}

/** Node leaves out the characters it does not know: the length tells of them. */
function readBase64(text: unknown): Uint8Array {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64') : undefined;
  if (bytes === undefined || bytes.toString('base64') !== text) {
    throw new TypeError('"args_base64" of the request is not base64.');
  }
  return new Uint8Array(bytes);
}

function readMetadata(value: unknown): Metadata {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => typeof entry === 'string'));
}
