"""Runs inside an instance: loads a Python function and answers HTTP on a socket in the instance's own folder.

It listens only once the code is loaded; what does not load is told on stderr, in one last line that names the reason.
The handler is `def handle(event, context)`, `async` if it likes; it returns {"statusCode", "body", "headers"}, text,
bytes, or a value to be written as JSON. The standard library only.
"""

import asyncio
import http.server
import importlib.util
import inspect
import json
import os
import socket
import socketserver
import sys
import threading
import traceback
import urllib.parse


class Query(dict):
    """The first value of each name; all of them by getlist."""

    def __init__(self, text):
        self._all = urllib.parse.parse_qs(text, keep_blank_values=True)
        super().__init__({name: values[0] for name, values in self._all.items()})

    def getlist(self, name):
        return self._all.get(name, [])


class Event:
    def __init__(self, method, path, query, headers, body):
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body


class Context:
    def __init__(self):
        self.hostname = socket.gethostname()


def load(file, name):
    folder = os.path.dirname(file)
    for path in (os.getcwd(), folder):
        if path not in sys.path:
            sys.path.insert(0, path)
    # A folder with an __init__.py is a package, so its handler may say `from .other import …`.
    package = os.path.basename(folder)
    if folder != os.getcwd() and os.path.exists(os.path.join(folder, "__init__.py")):
        sys.path.insert(0, os.path.dirname(folder))
        module = importlib.import_module(package + "." + os.path.splitext(os.path.basename(file))[0])
    else:
        module_name = os.path.splitext(os.path.basename(file))[0]
        spec = importlib.util.spec_from_file_location(module_name, file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        spec.loader.exec_module(module)
    handler = getattr(module, name, None)
    if not callable(handler):
        raise AttributeError("%s has no function %s" % (os.path.basename(file), name))
    return handler


def pairs(headers):
    items = headers.items() if isinstance(headers, dict) else headers or []
    return [(str(name), str(value)) for name, value in items]


def encode(value):
    """What a handler returned, as status, headers and bytes."""
    if isinstance(value, tuple):
        parts = list(value) + [200, {}]
        value = {"body": value[0], "statusCode": parts[1], "headers": parts[2] if len(value) > 2 else {}}
    if isinstance(value, dict) and ("statusCode" in value or "body" in value):
        status, headers, body = value.get("statusCode", 200), pairs(value.get("headers")), value.get("body", "")
    else:
        status, headers, body = 200, [], value
    if body is None:
        body = b""
    elif isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", "application/json"))
    elif not isinstance(body, (bytes, bytearray)):
        body = str(body).encode()
    return int(status), headers, bytes(body)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


def serve(handler, context):
    class Request(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            event = Event(self.command, path, Query(query), self.headers, body)
            try:
                value = handler(event, context)
                if inspect.isawaitable(value):
                    value = asyncio.run(value)
                status, headers, sent = encode(value)
            except Exception as error:
                traceback.print_exc()
                status, headers = 500, [("Content-Type", "text/plain")]
                sent = ("%s: %s" % (type(error).__name__, error)).encode()
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() != "content-length":
                    self.send_header(name, value.replace("\r", " ").replace("\n", " "))
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(sent)
            self.wfile.flush()

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

        def log_message(self, *_):
            pass

        def address_string(self):
            return "unix"

    code_folder = os.getcwd()
    # A socket's path has little room, so it is named from inside its folder.
    os.chdir(os.environ.get("HOME", "/"))
    server = Server("s", Request)
    os.chdir(code_folder)
    server.serve_forever()


def main():
    file, name = sys.argv[1], sys.argv[2]
    sys.stdout.reconfigure(line_buffering=True)
    try:
        handler = load(file, name)
    except BaseException as error:
        traceback.print_exc()
        print("the code does not load: %s: %s" % (type(error).__name__, str(error).split("\n")[0]), file=sys.stderr)
        sys.exit(1)
    threading.excepthook = lambda args: traceback.print_exception(args.exc_type, args.exc_value, args.exc_traceback)
    serve(handler, Context())


main()
