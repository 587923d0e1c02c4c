/** What a reply that is no success means: of the management API, of the deployment service, of an app's front door. */
import { type Executed, FaasError, type FaasErrorCode } from '../../core/errors.js';
import type { HttpReply } from '../shared/http.js';
import { type Fields, isObject, parseObject, textOf } from '../shared/json.js';
import { retryAfterMs } from '../shared/retry-after.js';
import type { Place } from '../shared/transport-error.js';

interface Meaning {
  readonly code: FaasErrorCode;
  readonly executed: Executed;
  readonly text: string;
}

const refused = (code: FaasErrorCode, text: string): Meaning => ({ code, executed: 'no', text });
const doubtful = (code: FaasErrorCode, text: string): Meaning => ({ code, executed: 'maybe', text });

/** The management API and the deployment service: nothing there runs a function. */
const CONTROL: ReadonlyMap<number, Meaning> = new Map([
  [400, refused('INVALID_REQUEST', 'refused the request')],
  [401, refused('AUTH', 'refused the credentials')],
  [403, refused('AUTH', 'does not allow this. Give the identity the role in permissions/deploy.json')],
  [404, refused('NOT_FOUND', 'does not know it')],
  [408, refused('UNAVAILABLE', 'ran out of time')],
  [409, refused('CONFLICT', 'changes it for someone else now')],
  [412, refused('CONFLICT', 'has seen it changed in between')],
  [413, refused('PAYLOAD_TOO_LARGE', 'takes no request of this size')],
  [429, refused('THROTTLED', 'asks to slow down')],
  [500, refused('UNAVAILABLE', 'failed')],
  [502, refused('UNAVAILABLE', 'has a gateway in front that got no answer')],
  [503, refused('UNAVAILABLE', 'cannot work now')],
  [504, refused('UNAVAILABLE', 'got no answer in time')],
] satisfies [number, Meaning][]);

/** By Azure's own code, which says more than the status. */
const BY_CODE: ReadonlyMap<string, Meaning> = new Map([
  [
    'MissingSubscriptionRegistration',
    refused(
      'CONFIG',
      'needs a resource provider that the subscription has not registered. Register Microsoft.Web and Microsoft.Storage',
    ),
  ],
  ['SubscriptionNotFound', refused('CONFIG', 'does not know the subscription. Check `subscriptionId`')],
  ['InvalidSubscriptionId', refused('CONFIG', 'does not know the subscription. Check `subscriptionId`')],
  [
    'StorageAccountAlreadyTaken',
    refused('CONFIG', 'says that the name of the storage account is taken. Choose another `storageAccount`'),
  ],
  ['ResourceGroupBeingDeleted', refused('CONFLICT', 'is deleting the resource group')],
] satisfies [string, Meaning][]);

const NAME_TAKEN = refused(
  'CONFIG',
  'says that the name is taken: names are global. Choose another `appName`',
);
const NO_QUOTA = refused('CONFIG', 'has no quota left for this. Ask Azure for more, or use another location');
const NO_JSON = refused('PROTOCOL', 'answered with something that is no JSON. Check `endpoint` and proxies');
const REDIRECT = refused('PROTOCOL', 'answered with a redirect, which is never followed');

/**
 * Both forms of an error body: `{error: {code, message}}` of ARM and `{Code, Message}` of App Service.
 * @param isPlain a text says as much as JSON; a page is of something in between all the same
 */
export function controlError(reply: HttpReply, place: Place, isPlain = false): FaasError {
  const said = azureError(parseObject(reply.body));
  const isKnown = said !== undefined || (isPlain && !/^\s*</.test(reply.body.toString('latin1', 0, 100)));
  const meaning = controlMeaning(reply.status, said, isKnown);
  const quoted =
    said === undefined ? excerpt(reply.body) : [said.code, said.message].filter(Boolean).join(': ');
  return failure(reply, meaning, place, quoted);
}

export interface AzureError {
  readonly code: string | undefined;
  readonly message: string | undefined;
}

function azureError(body: Fields | undefined): AzureError | undefined {
  if (body === undefined) return undefined;
  const inner = isObject(body['error']) ? body['error'] : body;
  const code = textOf(inner['code']) ?? textOf(inner['Code']);
  const message = textOf(inner['message']) ?? textOf(inner['Message']) ?? textOf(body['error']);
  return { code, message };
}

function controlMeaning(status: number, said: AzureError | undefined, isKnown: boolean): Meaning {
  const { code = '', message = '' } = said ?? {};
  const byCode = BY_CODE.get(code);
  if (byCode !== undefined) return byCode;
  if (/quota/i.test(code)) return NO_QUOTA;
  if (status === 409 && /website.*(already exists|not available|taken)/i.test(message)) return NAME_TAKEN;
  if (status >= 300 && status < 400) return REDIRECT;
  // A cold deployment service sends pages with 502 and 503: those keep their meaning.
  if (!isKnown && status < 500) return NO_JSON;
  return CONTROL.get(status) ?? refused(status >= 500 ? 'UNAVAILABLE' : 'INVALID_REQUEST', 'failed');
}

/** An operation that was accepted, and failed later. */
export function operationError({ code, message }: AzureError, what: string, origin: string): FaasError {
  const quoted = [code, message].filter(Boolean).join(': ');
  const meaning = controlMeaning(400, { code, message }, true);
  const why = meaning === CONTROL.get(400) ? 'began and did not finish it' : meaning.text;
  const text = `${origin} ${why} (${what}${quoted === '' ? '' : `: ${trim(quoted)}`}).`;
  return new FaasError({
    code: meaning.code,
    executed: 'no',
    provider: 'azure-functions',
    functionName: what,
    message: text,
  });
}

const CALL: ReadonlyMap<number, Meaning> = new Map([
  [400, refused('INVALID_REQUEST', 'refused the request')],
  [401, refused('AUTH', 'refused the function key')],
  [
    403,
    refused('AUTH', 'does not let this caller in. Check the app’s access restrictions, and that it runs'),
  ],
  [404, refused('NOT_FOUND', 'does not know the function. Deploy it first')],
  [408, doubtful('TIMEOUT', 'ran out of time')],
  [413, refused('PAYLOAD_TOO_LARGE', 'takes no request of this size')],
  [429, refused('THROTTLED', 'asks to slow down')],
  [500, doubtful('UNAVAILABLE', 'failed in front of the function, or with it')],
  [502, doubtful('UNAVAILABLE', 'has a gateway in front that got no answer')],
  [503, doubtful('UNAVAILABLE', 'cannot work now')],
  [504, doubtful('TIMEOUT', 'got no answer in time. Azure waits 230 s at most')],
] satisfies [number, Meaning][]);

/** A reply to a call that the entry did not write: of Azure's front ends, or of the Functions host. */
export function callError(reply: HttpReply, place: Place): FaasError {
  return failure(reply, callMeaning(reply), place, excerpt(reply.body));
}

function callMeaning({ status, body }: HttpReply): Meaning {
  if (status === 503 && /function host is not running/i.test(body.toString('latin1', 0, 2000)))
    return refused('UNAVAILABLE', 'has a host that does not run. Look at the app’s logs');
  const known = CALL.get(status);
  if (known !== undefined) return known;
  if (status >= 500) return doubtful('UNAVAILABLE', 'failed');
  if (status >= 300 && status < 400) return REDIRECT;
  if (status >= 400) return refused('INVALID_REQUEST', 'refused the request');
  return doubtful(
    'PROTOCOL',
    'answered, and not by the entry of a package for azure-functions. Deploy one of jobferry/packaging',
  );
}

function failure(
  reply: HttpReply,
  { code, executed, text }: Meaning,
  place: Place,
  quoted: string,
): FaasError {
  const { provider, functionName, origin } = place;
  const { headers, status } = reply;
  const requestId = textOf(headers['x-ms-request-id']) ?? textOf(headers['x-ms-correlation-request-id']);
  return new FaasError({
    code,
    executed,
    provider,
    functionName,
    status,
    requestId,
    retryAfterMs: retryAfterMs(headers['retry-after']),
    message: `${origin} ${text} (${functionName}, HTTP ${status}${quoted === '' ? '' : `: ${trim(quoted)}`}).`,
  });
}

/** Of a page or a plain text: its title, or how it begins. Replies of our entry never come here. */
function excerpt(body: Buffer): string {
  const text = body.toString('utf8', 0, 4000);
  const title = /<title>([^<]*)<\/title>/i.exec(text)?.[1];
  return (title ?? text.replace(/<(style|script)[\s\S]*?<\/\1>|<[^>]*>/gi, ' ')).replace(/\s+/g, ' ').trim();
}

function trim(text: string): string {
  return text.slice(0, 300).replace(/[.\s]+$/, '');
}
