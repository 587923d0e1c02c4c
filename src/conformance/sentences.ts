/** The sentences of the standard, as in `spec/custom-faas-platform.md`; a test keeps the two the same. */
import type { Level, Sentence } from './types.js';

/** One a line: its name (a star: cannot be observed over HTTP alone), then its text without markup. */
const TEXT = `
HTP-1 Every reply that has a body MUST be JSON in UTF-8 with Content-Type: application/json, except raw results and log streams.
HTP-2 A path this text does not define MUST be answered 404 NOT_FOUND.
HTP-3 A defined path with another method MUST be answered 405 METHOD_NOT_ALLOWED with an Allow header that lists the methods.
HTP-4 A request that has both Content-Length and Transfer-Encoding, two different lengths, or a length that is no number MUST be refused and the connection closed; bytes behind it MUST NOT be taken for another request.
HTP-5 A request line or header that is not HTTP/1.1 MUST be refused with 4xx or 5xx or by closing, and the platform MUST go on serving others.
HTP-6 A request head larger than 1 MiB MUST be refused with 400, 414 or 431 or by closing; a limit of 16 KiB is recommended.
HTP-7 Chunked request bodies SHOULD be accepted; a platform that does not accept them answers 411.
HTP-8 Expect: 100-continue MUST be answered by 100 Continue or by the final status, without waiting for the body.
HTP-9 Media types MUST be compared without regard to case, and their parameters ignored.
HTP-10 Unknown request headers and unknown query parameters MUST be ignored.
HTP-11 Several requests one after the other on one connection MUST each get their own reply, in order.
HTP-12* A client that has not sent its whole head within 30 seconds SHOULD be cut off.
NAM-1 A function id MUST match ^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$; every id that does is accepted.
NAM-2 Any other id MUST be refused with 400 INVALID_NAME, whatever the method.
NAM-3 The id MUST be percent-decoded exactly once before it is checked and compared; an encoded slash or dot never moves a path.
DEP-1 A deploy that succeeded MUST be answered 200 with the record: function_id, endpoint, status (deployed), memory_mb, timeout_secs, deployed_at, binary_size_bytes.
DEP-2 A platform MUST answer 200 only when the function can be called from then on.
DEP-3 The body MUST be taken as application/zip and as application/octet-stream; any other media type MUST be refused with 415 UNSUPPORTED_MEDIA_TYPE.
DEP-4 The same archive with the same configuration again MUST be answered 200 and change nothing.
DEP-5 Another archive or another configuration for a deployed id MUST be refused with 409 CONFLICT, and what is deployed MUST stay.
DEP-6 With the query replace=true the new archive and configuration MUST take the place of the old ones.
DEP-7 A replacement MUST be atomic: every call runs one version in full, and a running call finishes on the version it started with.
DEP-8 Of several deploys of one id at once, each MUST be answered as if they had come one after the other.
DEP-9 A deploy that is refused MUST leave everything as it was.
DEP-10 endpoint MUST be an absolute URL that takes invokes, built from the Host of the request.
DEP-11 binary_size_bytes MUST be the length of the archive; sha256, where given, MUST be its SHA-256 in lower-case hex.
DEP-12* cold_start_ms MUST be a measurement; a platform that has not measured leaves it out.
DEP-13* A deployed function MUST survive a restart of a platform that keeps data, and no half-written function may be left behind by a crash.
REC-1 GET /api/functions/{id} MUST answer 200 with the record of the deploy.
REC-2 Every request for a function that is not deployed MUST be answered 404 NOT_FOUND.
DEL-1 DELETE MUST answer 200 with {function_id, status: "deleted"} and remove the function; a second one is answered 404.
DEL-2 A function that is deployed again after a delete MUST start anew, with its new code and its counters at zero.
CFG-1 A missing header and missing fields MUST take the defaults, and the record MUST show the values in force.
CFG-2 A value that is not one line of base64, or holds no JSON object, MUST be refused with 400 INVALID_CONFIG.
CFG-3 A field that is unknown, of a wrong type or out of its range MUST be refused with 400 INVALID_CONFIG; the error text names the field.
CFG-4 Environment names that the platform sets itself (HOME, TMPDIR, FAAS_…) MUST be refused with 400 INVALID_CONFIG.
ARC-1 A body that is not a complete, intact zip archive MUST be refused with 400 INVALID_PACKAGE: junk, nothing, cut short, wrong checksum, encrypted, unknown method.
ARC-2 An archive without a regular file bootstrap at its top MUST be refused with 400 INVALID_PACKAGE.
ARC-3 Entry names with .., absolute names, backslashes or NUL MUST be refused with 400 INVALID_PACKAGE, and nothing may be written outside the function's own folder.
ARC-4 Entries that are neither regular files nor folders (links, devices) MUST be refused with 400 INVALID_PACKAGE.
ARC-5 Two entries of the same name MUST be refused with 400 INVALID_PACKAGE.
ARC-6 What counts is what is really inflated: an entry longer or shorter than its declared size MUST be refused with 400 or 413.
ARC-7 An archive above max_zip_bytes or max_unzipped_bytes (50 MB and 250 MB unless declared otherwise) MUST be refused with 413 PAYLOAD_TOO_LARGE.
ARC-8 Entries that overlap, and local headers that contradict the directory, SHOULD be refused with 400 INVALID_PACKAGE.
ARC-9 bootstrap MUST be made executable whatever its mode says; other files and folders of the archive MUST be found beside it.
ARC-10 Stored and deflated entries MUST both be read.
INV-1 A call whose function succeeded MUST be answered 200 with job_id (that of the request), result, success: true and execution_ms.
INV-2 args and result MUST pass unchanged, byte for byte: no bytes at all, every value from 0 to 255, bytes that are no text.
INV-3 Every job id from 0 to 4294967295 MUST be handed over as it is.
INV-4 A job id that is missing, negative, fractional, above 4294967295 or no number MUST be refused with 400 INVALID_REQUEST.
INV-5 args that are missing, no array, or hold anything but integers from 0 to 255 MUST be refused with 400 INVALID_REQUEST, never clamped or dropped.
INV-6 A body that is not one JSON object in UTF-8 MUST be refused with 400 INVALID_REQUEST.
INV-7 Unknown fields of the body MUST be ignored.
INV-8 Another media type than application/json MUST be refused with 415 UNSUPPORTED_MEDIA_TYPE, unless a feature allows it.
INV-9 Arguments and results of 1 MiB MUST be accepted.
INV-10 A body above the platform's limit MUST be refused with 413 PAYLOAD_TOO_LARGE, by its declared length before it is read where there is one.
INV-11 execution_ms MUST be the measured run time in whole or fractional milliseconds.
INV-12 A refused call MUST NOT run the function.
INV-13* memory_used_mb and cold_start MUST come from evidence; a platform without evidence leaves them out.
JOB-1 POST /job/{n} MUST do what invoke of the function job{n} does.
JOB-2 HEAD /job/{n} MUST answer 200 when job{n} can be called and 404 when it is not deployed, without a body.
JOB-3 n MUST be compared as a whole unsigned 32-bit number: never truncated; anything else is refused with 400.
BTS-1 Each call MUST have a process of its own, with the function's folder as its working folder.
BTS-2 stdin MUST hold exactly one JSON object with job_id and args, and then end.
BTS-3 stdin MUST be written and stdout read at the same time: neither side may wait for the other.
BTS-4 A bootstrap that does not read its stdin MUST NOT be treated as failed for that.
BTS-5 stdout MUST be read as one JSON object, with white space around it allowed; a missing success means true.
BTS-6 Empty output, anything but one JSON object, a missing or unfit result, or text beside it MUST end the call with 500 BAD_OUTPUT.
BTS-7 An exit code other than 0 MUST end the call with 500 FUNCTION_ERROR and details.exit_code; an end by a signal with details.signal.
BTS-8 success: false MUST end the call with 500 FUNCTION_ERROR, never with 200, and the bootstrap's error MUST stand in the reply.
BTS-9 A bootstrap that cannot be started MUST be refused at deploy with 400 INVALID_PACKAGE or end the call with 500 EXECUTION_ERROR and executed no.
BTS-10 Output without end MUST be cut, the process killed, and the call ended with 500 OUTPUT_TOO_LARGE.
BTS-11 stderr MUST NOT be mixed into the result; its end SHOULD stand in details.stderr_tail of a failure.
BTS-12 A call MUST end when its bootstrap ends, even while a process it left holds stdout open.
ENV-1 The environment MUST be built from nothing: PATH, HOME, TMPDIR, LANG, TZ, names that begin with FAAS_, and env_vars. Nothing of the platform's own environment may be seen.
ENV-2 env_vars MUST arrive unchanged, whatever characters they hold.
ENV-3 FAAS_FUNCTION_ID, FAAS_MEMORY_MB and FAAS_TIMEOUT_SECS MUST hold the function's id and limits.
ENV-4 HOME and TMPDIR MUST be a writable folder of this call alone; what one call leaves there no other call finds.
ENV-5 No open file of the platform SHOULD be handed to a function: only stdin, stdout and stderr.
ISO-1 When a call ends, however it ends, the platform MUST kill what is left of its process group within 1 second; a later call MUST NOT find any of it.
ISO-2 A process that left the group and the session (setsid) SHOULD be killed with the rest.
ISO-3 A call that needs more than memory_mb MUST NOT succeed.
ISO-4 Such a call SHOULD be answered 500 OUT_OF_MEMORY, told apart from other failures.
TMO-1 A call that runs longer than timeout_secs MUST be killed and answered 504 TIMEOUT with executed yes.
TMO-2 That reply MUST come no earlier than the limit and no later than 1 second after it.
TMO-3 SIGTERM is no defence: a bootstrap that ignores it MUST be killed as well.
TMO-4 After a time-out the function MUST be callable at once, with its place in max_concurrency free again.
TMO-5 When the caller closes its connection while the call runs, the platform MUST kill the call within 1 second.
CON-1 More than max_concurrency calls of one function MUST NOT run at the same time.
CON-2 A call above a limit MUST wait for its turn or be refused with 429 THROTTLED and executed no.
CON-3 Of 100 calls at once each MUST get a reply of its own: its result, or a refusal with 429 or 503.
CON-4 100 calls at once SHOULD all succeed.
CON-5 A call of one function SHOULD NOT wait for calls of another while there is room for both.
HLT-1 GET …/health MUST answer 200 with {function_id, status: "healthy", total_invocations} for a function that can be called.
HLT-2 last_invocation MUST be absent before the first call and a time afterwards; total_invocations MUST count the calls that were started.
HLT-3* A function that is deployed but cannot be called MUST be answered 503 with status: "unhealthy".
WRM-1 POST …/warm MUST answer 200 with {function_id, status: "warm", instances_warmed}.
WRM-2 Warming MUST NOT run the job.
WRM-3 instances_warmed MUST be true: 0 where nothing is kept ready, never more than max_concurrency; a call that follows a number above 0 reports cold_start: false.
ERR-1 Every reply from 400 on to well-formed HTTP MUST carry error (text that is not empty), code (of the table) and details (an object).
ERR-2 Status and code MUST go together as in the table.
ERR-3 A failed invoke MUST also carry success: false and executed, as true as the platform knows it.
ERR-4 429 and 503 MUST carry Retry-After in whole seconds.
ERR-5 An error MUST NOT repeat bytes of a payload, of a secret or of an environment variable.
ERR-6* A client MUST judge a code it does not know by its status, and MUST treat success: false as a failure whatever the status.
DSC-1 Where GET /api is answered 200, it MUST carry spec, platform, version, isolation, limits and features, each as its schema says.
DSC-2 features MUST list exactly what is offered: call-context, binary, idempotency, async, cancel, list, conditional-replace, logs, head. Names that are not in this list are ignored.
DSC-3 A limit MUST be the one in force. Limits of features that are not offered are left out.
DSC-4 isolation MUST say what is in force on this machine: mode (process, sandbox or container), how memory is limited, and how process trees are held together.
CTX-1 stdin MUST carry call_id, attempt, deadline_ms (epoch milliseconds) and metadata; FAAS_CALL_ID MUST hold the call id in a process that was started for this call, and MUST be absent in one that was started ahead of it.
CTX-2 Every reply MUST carry a header X-Faas-Request-Id that no other reply has.
CTX-3 call_id MUST stand in the JSON reply to every invoke that was run: the one given, else one the platform made.
CTX-4 metadata of the bootstrap MUST stand in the reply as it is; without it the field is absent.
CTX-5 The limit in force MUST be the smaller of X-Faas-Timeout-Ms and timeout_secs, and deadline_ms MUST be when it ends.
CTX-6 A header of these that is malformed, or metadata above max_metadata_bytes, MUST be refused with 400 INVALID_REQUEST.
CTX-7 Without the headers attempt MUST be 1 and metadata empty.
BIN-1 An invoke with Content-Type: application/octet-stream MUST take its body as the arguments, as they are.
BIN-2 The job id MUST then stand in X-Faas-Job-Id, or be the n of /job/{n}; missing or unfit it is refused with 400 INVALID_REQUEST.
BIN-3 With Accept: application/octet-stream a 200 MUST be the raw result, with X-Faas-Job-Id, X-Faas-Execution-Ms, and with X-Faas-Cold-Start and X-Faas-Memory-Used-Mb where known.
BIN-4 The encodings of request and reply MUST be independent of each other.
BIN-5 Errors MUST be JSON whatever was asked for.
BIN-6 Metadata of the bootstrap MUST stand in the header X-Faas-Metadata of a raw reply, as base64url of its JSON.
BIN-7 A bootstrap of 1.0 MUST get and give JSON as before, however its caller speaks.
BIN-8 An archive with a file faas.json that holds {"protocol":"binary-1"} MUST get one line of JSON with args_length in place of args, then the raw arguments, and may answer with one line of JSON with result_length in place of result, then the raw result.
IDM-1 The same key with the same content MUST get the stored reply with X-Faas-Replayed: true, without another run.
IDM-2 The same key with other content MUST be refused with 422 IDEMPOTENCY_MISMATCH.
IDM-3 While the first call runs, the same key MUST be answered 409 IN_PROGRESS with Retry-After and executed maybe.
IDM-4 Final outcomes of a run MUST be stored, failures of the function included; refusals with executed no MUST NOT be.
IDM-5 The same key on another function MUST be another call.
IDM-6* A reply MUST be kept for idempotency_ttl_secs, at least 300, from its completion.
IDM-7 A malformed key MUST be refused with 400 INVALID_REQUEST.
ASY-1 The 202 MUST carry {invocation_id, function_id, job_id, status, status_url}, Location and Preference-Applied: respond-async.
ASY-2* A 202 MUST NOT be sent before the record is on durable storage.
ASY-3 An invoke that is invalid, or of an unknown function, MUST be refused as a synchronous one is, never with 202.
ASY-4 invocation_id MUST be the call id where one is given. The same id with the same content MUST be answered 202 with the existing record and without a second invocation, with other content 422 IDEMPOTENCY_MISMATCH.
ASY-5 GET /api/invocations/{id} MUST answer 200 with the record, and 404 NOT_FOUND for an id that is unknown.
ASY-6 A terminal record MUST carry finished_at, attempts and executed, with result when completed and error and code when not.
ASY-7 An invocation MUST have exactly one terminal status, which never changes.
ASY-8 wait=SECS MUST hold the reply until the status is terminal or the time has passed, and MUST be clamped to max_wait_secs.
ASY-9 GET …/result MUST answer the raw result of a completed invocation, 409 NOT_FINISHED before it is terminal and 409 NO_RESULT when it ended otherwise.
ASY-10 GET /api/invocations MUST list records without their results, by function_id and status where asked, in pages of limit with next and after.
ASY-11 X-Faas-Timeout-Ms MUST count from acceptance; a call that expires in the queue ends as timeout with 0 attempts and executed no.
ASY-12* After a crash a running record MUST be run again with one more attempt, at most 3 in all, then it is dead.
ASY-13* A terminal record MUST be kept for invocation_retention_secs.
CAN-1 POST /api/invocations/{id}/cancel MUST answer 200 with the record; a pending call becomes cancelled without having run.
CAN-2 A running call MUST be killed and become cancelled.
CAN-3 A terminal record MUST stay as it is; cancelling twice is fine.
CAN-4 An unknown invocation MUST be answered 404 NOT_FOUND.
CAN-5 A cancelled record SHOULD carry the code CANCELLED.
CAN-6* A client MUST take the status cancelled for the end of the call, whatever code stands beside it.
LST-1 GET /api/functions MUST answer {functions: […records], next?} in order of function_id.
LST-2 limit (1 to 1000, default 100) and after MUST page through all functions, each exactly once; next is absent on the last page.
LST-3 A limit out of range MUST be refused with 400 INVALID_REQUEST.
CND-1 Records MUST carry etag, the same as the header ETag (which quotes it) of GET, HEAD and PUT; it changes with archive or configuration and with nothing else.
CND-2 PUT with If-Match MUST replace that version only, else answer 412 PRECONDITION_FAILED.
CND-3 PUT with If-None-Match: * MUST create only, else answer 412 PRECONDITION_FAILED.
CND-4 DELETE with If-Match MUST remove that version only, else answer 412 PRECONDITION_FAILED.
CND-5 Of several PUT at once with the same If-Match exactly one MUST succeed.
LOG-1 GET …/logs MUST answer application/x-ndjson: one {time, stream, message, call_id?} a line, oldest first.
LOG-2 What a function writes to stderr MUST be found there after its call, under its call id.
LOG-3 tail (default 100), since and call_id MUST narrow the reply.
LOG-4 follow=true MUST keep the reply open and send lines as they come, with an empty line at least every 15 seconds.
LOG-5 A line longer than 16 KiB MUST be cut and marked truncated: true.
LOG-6 Bytes that are no text MUST NOT break the stream: each line is valid JSON in UTF-8.
HED-1 HEAD MUST be answered on the path of every GET with the same status and no body.
HED-2 HEAD on an invoke path MUST be answered as health is.
SEC-1 A platform that demands a key MUST refuse a request without it, or with a wrong one, with 401 UNAUTHORIZED and WWW-Authenticate: Bearer.
SEC-2 That reply MUST come before the body is read.
SEC-3 A platform that demands no key MUST refuse, with 400, 403 or 421, a request whose Host names neither an address of this machine nor a name it was set up with: DNS rebinding.
SEC-4* A platform that listens beyond loopback MUST demand a key; keys MUST be kept as hashes and compared in constant time.
SEC-5* Headers, names, arguments and variables MUST NOT reach a shell or a command line.
SEC-6* Isolation MUST NOT be silently weaker than what was asked for: a platform told to require more than it has refuses to start.
SEC-7* A killed process tree MUST be gone within 1 second; within 100 ms SHOULD be the rule.
SEC-8* A platform that dies MUST NOT leave functions running for longer than 5 seconds.
PRF-1 Half of all calls one after the other SHOULD take less than 500 ms.
PRF-2 Half of all calls that report cold_start: false SHOULD take less than 50 ms, and 99 of 100 less than 100 ms.
`;

const SENTENCES: ReadonlyMap<string, Sentence> = new Map(
  [...TEXT.matchAll(/^([A-Z]+-\d+)\*? (.+)$/gm)].map(([, id = '', text = '']) => [
    id,
    { id, level: levelOf(text), text },
  ]),
);

/** @throws Error for a name that is not in the standard: a fault of the suite */
export function sentence(id: string): Sentence {
  const found = SENTENCES.get(id);
  if (found === undefined) throw new Error(`the standard has no sentence [${id}]`);
  return found;
}

/** The text above, for the test that compares it. */
export function sentenceLines(): readonly string[] {
  return TEXT.trim().split('\n');
}

/** The first of the two words decides. */
function levelOf(text: string): Level {
  return /MUST|SHOULD/.exec(text)?.[0] === 'SHOULD' ? 'SHOULD' : 'MUST';
}
