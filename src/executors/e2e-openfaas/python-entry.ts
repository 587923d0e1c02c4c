/** Python jobs: a function `job(data, call)` and our entry, as one `handler.py` for the Python templates. */

/** Ends the user's part; what follows must not be taken for it. */
const MARK = '\n\n# jobferry: the entry, which the template calls.\n';

/** The template writes text: bytes go back as base64, and say so. */
const ENTRY = `
import base64 as _base64
import json as _json
import time as _time
import traceback as _traceback
import uuid as _uuid

_INSTANCE = str(_uuid.uuid4())
_state = {"cold": True}


def handle(event, context):
    own = {
        "x-faas-entry": "1",
        "x-faas-instance": _INSTANCE,
        "x-faas-cold-start": "true" if _state["cold"] else "false",
    }
    _state["cold"] = False
    headers = {str(name).lower(): value for name, value in dict(event.headers).items()}
    if headers.get("x-faas-warm") is not None:
        _time.sleep(min(float(headers["x-faas-warm"]), 10000) / 1000)
        return {"statusCode": 200, "body": "", "headers": own}
    if not str(headers.get("x-faas-job-id", "")).isdigit():
        return _failure(own, 400, "INVALID_REQUEST", "no", "Not a call of jobferry: x-faas-job-id is missing.", None)
    metadata = _metadata(headers.get("x-faas-metadata"))
    call = {
        "job_id": int(headers["x-faas-job-id"]),
        "call_id": headers.get("x-faas-call-id", ""),
        "attempt": int(headers.get("x-faas-attempt", "1")),
        "timeout_ms": float(headers["x-faas-timeout-ms"]) if "x-faas-timeout-ms" in headers else None,
        "metadata": metadata,
    }
    body = event.body
    data = body.encode("utf-8") if isinstance(body, str) else bytes(body or b"")
    started = _time.monotonic()
    try:
        result = job(data, call)
        result = b"" if result is None else bytes(result)
    except Exception as error:
        details = {"name": type(error).__name__, "message": str(error), "stack": _traceback.format_exc()}
        return _failure(own, 500, "FUNCTION_ERROR", "yes", str(error), details)
    own["x-faas-job-id"] = str(call["job_id"])
    own["x-faas-execution-ms"] = "%.3f" % ((_time.monotonic() - started) * 1000)
    own["x-faas-metadata"] = _base64.urlsafe_b64encode(_json.dumps(metadata).encode()).decode().rstrip("=")
    own["x-faas-body"] = "base64"
    return {"statusCode": 200, "body": _base64.b64encode(result).decode(), "headers": own}


def _metadata(header):
    try:
        text = _base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))
        value = _json.loads(text)
        return {k: v for k, v in value.items() if isinstance(v, str)}
    except Exception:
        return {}


def _failure(own, status, code, executed, message, details):
    body = {"error": message, "code": code, "executed": executed}
    if details is not None:
        body["details"] = details
    own["content-type"] = "application/json"
    return {"statusCode": status, "body": _json.dumps(body), "headers": own}
`;

/**
 * The text of a `handler.py`.
 * @param source defines `job(data: bytes, call: dict) -> bytes`; `call` has job_id, call_id, attempt, timeout_ms and
 * metadata. What it raises arrives as a FUNCTION_ERROR with name, message and traceback.
 */
export function pythonHandler(source: string): string {
  return `${source.trimEnd()}${MARK}${ENTRY.trimStart()}`;
}
