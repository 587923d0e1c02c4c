#!/usr/bin/env python3
"""The smallest platform that passes the suite for the custom FaaS standard's core. Standard library only, one machine,
for development, on loopback. Each call is a process group of its own, killed whole at the limit. What it does not do:
memory is limited for each process (RLIMIT_AS), so a call of several processes can use more than memory_mb [ISO-3]; what
leaves the group is not killed [ISO-2]; nothing survives a restart; no sandbox; folders of old versions stay to the end.

    python3 minimal-platform.py [port]        then: jobferry conformance http://127.0.0.1:8080
"""
import base64, collections, contextlib, hashlib, io, json, math, os, re, resource, select, shutil, signal, socket, stat, subprocess
import sys, tempfile, threading, time, zipfile, zlib
from email.errors import MissingHeaderBodySeparatorDefect
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

MIB = 1024 * 1024
MAX_BODY, MAX_ZIP, MAX_UNZIPPED, MAX_OUTPUT = 32 * MIB, 50 * MIB, 250 * MIB, 32 * MIB
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RANGES = {"memory_mb": (128, 10240, 64), "timeout_secs": (1, 900, 1), "max_concurrency": (1, 1000, 1)}
METHODS = {"": ("GET", "PUT", "DELETE"), "invoke": ("POST",), "health": ("GET",), "warm": ("POST",)}
ROOT = tempfile.TemporaryDirectory(prefix="minimal-platform-")
functions, running, lock = {}, collections.Counter(), threading.Lock()


class Refusal(Exception):
    """Ends a request with a row of the error table."""

    def __init__(self, status, code, error, executed="no", headers=None, **details):
        super().__init__(error)
        self.status, self.headers = status, headers or {}
        self.body = {"error": error, "code": code, "details": details, "executed": executed}


def whole(value, low, high, step=1):
    return type(value) is int and low <= value <= high and value % step == 0


def parse_config(header):
    config = {"memory_mb": 512, "timeout_secs": 300, "max_concurrency": 10, "env_vars": {}}
    try:
        given = json.loads(base64.b64decode(header, validate=True).decode()) if header is not None else {}
    except ValueError:
        raise Refusal(400, "INVALID_CONFIG", "X-Blueprint-Config is not one line of base64 around JSON") from None
    if type(given) is not dict:
        raise Refusal(400, "INVALID_CONFIG", "X-Blueprint-Config is no JSON object")
    for field, value in given.items():
        if field in RANGES and not whole(value, *RANGES[field]):
            raise Refusal(400, "INVALID_CONFIG", f"{field} is out of range")
        if field not in config or field == "env_vars" and type(value) is not dict:
            raise Refusal(400, "INVALID_CONFIG", f"{field} is unknown or of a wrong type")
    for name, text in given.get("env_vars", {}).items():
        taken = name in ("HOME", "TMPDIR") or name.startswith("FAAS_")
        if taken or not ENV_NAME.fullmatch(name) or type(text) is not str or "\0" in text:
            raise Refusal(400, "INVALID_CONFIG", f"env_vars.{name} is reserved or unfit")
    return {**config, **given}


def unpack(data, folder):
    """Everything is checked before the first file is written; sizes count as they really inflate."""
    def bad(why):
        return Refusal(400, "INVALID_PACKAGE", f"the archive cannot be used: {why}")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        entries = archive.infolist()
        for entry in entries:
            path, mode = entry.orig_filename, entry.external_attr >> 16
            if re.search(r"(^|/)\.\.?(/|$)|^/|[\\\0]|//", path):
                raise bad("an entry would leave its folder")
            if stat.S_IFMT(mode) not in (0, stat.S_IFDIR if entry.is_dir() else stat.S_IFREG):
                raise bad("an entry is neither a file nor a folder")
        names = [entry.filename.rstrip("/") for entry in entries]
        if len(set(names)) < len(names) or "bootstrap" not in [e.filename for e in entries]:
            raise bad("a name is there twice, or there is no file bootstrap")
        left = MAX_UNZIPPED
        for entry in entries:
            target = os.path.join(folder, entry.filename)
            os.makedirs(target if entry.is_dir() else os.path.dirname(target), exist_ok=True)
            content = b"" if entry.is_dir() else archive.open(entry).read(left + 1)
            left -= len(content)
            if left < 0:
                raise Refusal(413, "PAYLOAD_TOO_LARGE", f"more than {MAX_UNZIPPED} bytes when unpacked")
            if len(content) != entry.file_size:
                raise bad("an entry has another size than it says")
            if not entry.is_dir():
                with open(target, "xb") as file:
                    file.write(content)
        os.chmod(os.path.join(folder, "bootstrap"), 0o755)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, FileExistsError,
            NotADirectoryError, IsADirectoryError, ValueError, zlib.error):
        raise bad("it is damaged, encrypted, or uses what is not supported") from None


class Function:
    """One version of a function. Running calls keep the version they began with."""

    def __init__(self, function_id, data, config):
        self.id, self.config, self.data_hash = function_id, config, hashlib.sha256(data).hexdigest()
        self.size, self.deployed_at = len(data), now()
        self.folder = tempfile.mkdtemp(dir=ROOT.name)
        try:
            unpack(data, self.folder)
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        self.calls, self.last = 0, None

    def record(self, host):
        shown = {key: self.config[key] for key in RANGES}
        return {"function_id": self.id, "endpoint": f"http://{host}/api/functions/{self.id}/invoke",
                "status": "deployed", **shown, "deployed_at": self.deployed_at,
                "binary_size_bytes": self.size, "sha256": self.data_hash}

    def call(self, job_id, args, caller):
        gives_up_at = time.monotonic() + self.config["timeout_secs"]
        while not self.takes_place():
            if time.monotonic() > gives_up_at:
                raise Refusal(429, "THROTTLED", "too many calls of this function", headers={"Retry-After": "1"})
            time.sleep(0.005)
        try:
            with tempfile.TemporaryDirectory(dir=ROOT.name) as home:
                return self.run(json.dumps({"job_id": job_id, "args": args}).encode(), home, caller)
        finally:
            with lock:
                running[self.id] -= 1

    def takes_place(self):
        with lock:
            if running[self.id] >= self.config["max_concurrency"]:
                return False
            running[self.id] += 1  # by id: what a version that was replaced still runs counts as well
            self.calls, self.last = self.calls + 1, now()
            return True

    def run(self, request, home, caller):
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", **self.config["env_vars"],
               "HOME": home, "TMPDIR": home, "FAAS_FUNCTION_ID": self.id,
               "FAAS_MEMORY_MB": str(self.config["memory_mb"]), "FAAS_TIMEOUT_SECS": str(self.config["timeout_secs"])}
        limit, started = self.config["timeout_secs"], time.monotonic()
        memory = self.config["memory_mb"] * MIB

        def limit_memory():  # between fork and exec: later would be too late for the first children
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

        # Files in place of pipes: neither side ever waits for the other, and nobody can hold the call open.
        with contextlib.ExitStack() as stack:
            stdin, stdout, stderr = (stack.enter_context(tempfile.TemporaryFile(dir=ROOT.name)) for _ in range(3))
            stdin.write(request)
            stdin.seek(0)
            try:
                child = subprocess.Popen(["./bootstrap"], cwd=self.folder, env=env, stdin=stdin, stdout=stdout,
                                         stderr=stderr, start_new_session=True, preexec_fn=limit_memory)
            except (OSError, subprocess.SubprocessError) as error:
                raise Refusal(500, "EXECUTION_ERROR", f"the bootstrap cannot be started: {error}") from None
            failure = None
            try:
                while child.poll() is None and failure is None:
                    if time.monotonic() - started > limit:
                        failure = Refusal(504, "TIMEOUT", f"killed at its limit of {limit} s", "yes")
                    elif max(os.fstat(file.fileno()).st_size for file in (stdout, stderr)) > MAX_OUTPUT:
                        failure = Refusal(500, "OUTPUT_TOO_LARGE", f"more than {MAX_OUTPUT} bytes of output", "yes")
                    elif select.select([caller], [], [], 0)[0] and not peek(caller):
                        failure = Refusal(409, "CANCELLED", "the caller has gone", "yes")
                    time.sleep(0.005)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            if failure:
                raise failure
            secs = time.monotonic() - started
            stdout.seek(0)
            stderr.seek(0)
            return self.judge(child.returncode, stdout.read(), stderr.read()), secs

    @staticmethod
    def judge(exit_code, stdout, stderr):
        details = {"stderr_tail": stderr[-4096:].decode(errors="replace")} if stderr else {}
        try:
            reply = json.loads(stdout.decode())
        except ValueError:
            reply = None
        said = reply if type(reply) is dict else {}
        if exit_code or said.get("success") is False:
            details |= {"signal": signal.Signals(-exit_code).name} if exit_code < 0 else {"exit_code": exit_code}
            error = said.get("error") or f"the bootstrap ended with {details.get('signal', exit_code)}"
            raise Refusal(500, "FUNCTION_ERROR", str(error), "yes", **details)
        result = said.get("result")
        if type(result) is not list or not all(whole(item, 0, 255) for item in result):
            raise Refusal(500, "BAD_OUTPUT", "stdout is not one JSON object with a result of bytes", "yes", **details)
        return result


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def peek(caller):
    try:
        return caller.recv(1, socket.MSG_PEEK)
    except OSError:
        return b""


class Door(BaseHTTPRequestHandler):
    protocol_version, timeout = "HTTP/1.1", 30
    job_id = None

    def answer(self):
        self.is_call, self.unread = False, True
        try:
            status, body, headers = 200, self.route(), {}
        except Refusal as refusal:
            status, body, headers = refusal.status, refusal.body, refusal.headers
            if self.is_call:
                body = {"success": False, "result": [], **body}
        text = b"" if self.command == "HEAD" else json.dumps(body).encode()
        self.send_response(status)
        if self.unread:  # what is left of this request must not be taken for the next one
            headers = {**headers, "Connection": "close"}
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = answer

    def body(self, limit, *types):
        if self.headers.get_content_type() not in types or "Content-Type" not in self.headers:
            raise Refusal(415, "UNSUPPORTED_MEDIA_TYPE", f"send {' or '.join(types)}")
        if self.length > limit:
            raise Refusal(413, "PAYLOAD_TOO_LARGE", f"more than {limit} bytes")
        data = self.rfile.read(self.length)
        if len(data) < self.length:
            raise Refusal(400, "INVALID_REQUEST", "the body ended early")
        self.unread = False
        return data

    def route(self):
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers:
            raise Refusal(411, "INVALID_REQUEST", "send a Content-Length")
        if len(lengths) > 1 or lengths and not re.fullmatch("[0-9]+", lengths[0]):
            raise Refusal(400, "INVALID_REQUEST", "the Content-Length is unfit")
        self.length = int(lengths[0]) if lengths else 0
        self.unread = self.length > 0
        size = sum(len(name) + len(value) for name, value in self.headers.items())
        if size > 65536 or any(type(defect) is MissingHeaderBodySeparatorDefect for defect in self.headers.defects) \
                or any("\0" in value for value in self.headers.values()):
            raise Refusal(400, "INVALID_REQUEST", "the head is malformed or larger than 64 KiB")
        if not re.fullmatch(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?", self.headers.get("Host", "")):
            raise Refusal(403, "FORBIDDEN", "the Host header must name this machine")
        path, _, query = self.path.partition("?")
        if job := re.fullmatch(r"/job/([^/]*)", path):
            if not re.fullmatch("0|[1-9][0-9]{0,9}", job[1]) or int(job[1]) > 0xFFFFFFFF:
                raise Refusal(400, "INVALID_NAME", "a job id is a whole number from 0 to 4294967295")
            actions, name, part = {"POST": self.invoke, "HEAD": self.health}, f"job{job[1]}", None
        elif found := re.fullmatch(r"/api/functions/([^/]+)(?:/(invoke|health|warm))?", path):
            part, name = found[2] or "", unquote(found[1], errors="replace")
            actions = {method: getattr(self, part or method.lower()) for method in METHODS[part]}
        else:
            raise Refusal(404, "NOT_FOUND", "there is no such route")
        self.is_call = self.command == "POST" and part in (None, "invoke")
        if self.command not in actions:
            raise Refusal(405, "METHOD_NOT_ALLOWED", "not here", headers={"Allow": ", ".join(actions)})
        if not NAME.fullmatch(name):
            raise Refusal(400, "INVALID_NAME", f"a function id matches {NAME.pattern}")
        if self.command == "PUT":
            return self.put(name, "replace=true" in query.split("&"))
        if name not in functions:
            raise Refusal(404, "NOT_FOUND", f"there is no function {name}")
        return actions[self.command](functions[name])

    def put(self, name, replace):
        config = parse_config(self.headers.get("X-Blueprint-Config"))
        fresh = Function(name, self.body(MAX_ZIP, "application/zip", "application/octet-stream"), config)
        with lock:
            known = functions.get(name)
            same = known and (known.data_hash, known.config) == (fresh.data_hash, fresh.config)
            if known and not same and not replace:
                raise Refusal(409, "CONFLICT", "other content is deployed here; add ?replace=true to replace it")
            functions[name] = known if same else fresh
            return functions[name].record(self.headers["Host"])

    def get(self, function):
        return function.record(self.headers["Host"])

    def delete(self, function):
        if functions.pop(function.id, None) is None:
            raise Refusal(404, "NOT_FOUND", f"there is no function {function.id}")
        return {"function_id": function.id, "status": "deleted"}

    def health(self, function):
        last = {"last_invocation": function.last} if function.last else {}
        return {"function_id": function.id, "status": "healthy", **last, "total_invocations": function.calls}

    def warm(self, function):
        return {"function_id": function.id, "status": "warm", "instances_warmed": 0}  # none is kept, so none is warm

    def invoke(self, function):
        try:
            call = json.loads(self.body(MAX_BODY, "application/json").decode())
        except ValueError:
            raise Refusal(400, "INVALID_REQUEST", "the body is not JSON in UTF-8") from None
        job_id, args = (call.get("job_id"), call.get("args")) if type(call) is dict else (None, None)
        if not whole(job_id, 0, 0xFFFFFFFF) or type(args) is not list or not all(whole(arg, 0, 255) for arg in args):
            raise Refusal(400, "INVALID_REQUEST", "job_id is a u32, args an array of integers from 0 to 255")
        result, secs = function.call(job_id, args, self.connection)
        return {"job_id": job_id, "result": result, "success": True, "execution_ms": math.ceil(secs * 1000)}

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a caller who has gone is no news
            super().handle_error(request, client_address)


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Door)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        server.serve_forever()
