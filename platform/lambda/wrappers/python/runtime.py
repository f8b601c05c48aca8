"""Serves one Python function: loads HANDLER once and calls it for every request.

The same file runs in two places. In a container it is an HTTP/1.1 server on PORT. On a laptop it
inherits a listening Unix socket (HEARTH_SOCKET_FD) and speaks a framed protocol on it, and a
control socket (HEARTH_CONTROL_FD) on which it tells "ready", "failed" and "timeout".

Threads: the main thread accepts, watches the control socket and signals and enforces the time
limit; every connection has a thread of its own that reads, calls the handler and replies, so a
request never changes threads.

Only cheap modules of the standard library are imported here; everything that most requests do
without is imported where it is used, because start-up time is what a cold request waits for.
"""

import _thread
import json
import os
import re
import select
import signal
import socket
import struct
import sys
import time
from _bisect import bisect_left

FRAME_HEADER = struct.Struct("<IBBH")
FRAME_HEAD, FRAME_DATA, FRAME_END = 1, 2, 1
FRAME_BYTES_MAX = 1 << 20
DATA_BYTES_MAX = 1 << 16
RECEIVE_BYTES = 1 << 16
HEAD_BYTES_MAX = 1 << 16
HEADERS_MAX = 200
# Longer than the 90 s after which Go's clients (the usual callers) drop an idle connection, so
# that the caller closes first and never writes a request into a closing connection.
IDLE_SECONDS_MAX = 120
# How long a client may go on sending what is refused.
LINGER_SECONDS = 2
FOREVER = float("inf")

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
NOT_RETRYABLE = frozenset(("ValueError", "TypeError", "ImportError"))
REASONS = {100: "Continue", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content",
           301: "Moved Permanently", 302: "Found", 304: "Not Modified", 400: "Bad Request",
           401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict",
           413: "Content Too Large", 422: "Unprocessable Content", 429: "Too Many Requests",
           431: "Request Header Fields Too Large", 500: "Internal Server Error",
           503: "Service Unavailable", 504: "Gateway Timeout"}
REQUIRED_ATTRIBUTES = ("specversion", "id", "source", "type")
# The transport decides these; a handler that copies them from elsewhere must not break framing.
TRANSPORT_HEADERS = frozenset(("content-length", "transfer-encoding", "connection", "keep-alive"))
PLAIN_RESULTS = frozenset((dict, list, str, bytes, int, float, bool, type(None)))

# What CloudEvents allow unescaped in a header value; everything else is percent-encoded.
NOT_EVENT_HEADER_TEXT = re.compile(r"[^\x21\x23\x24\x26-\x7e]")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}"
                         r"-([0-9a-f]{2})")

decode_json = json.JSONDecoder().decode
encode_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False,
                               separators=(",", ":")).encode


class Disconnected(Exception):
    """The peer is gone or broke the protocol: nothing can be answered."""


class BadRequest(Exception):
    """The request is answered with an error without calling the handler."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Settings:
    """What the environment says. Read in main(), never at import: a fork server imports this
    module once and gives every child an environment of its own."""

    def __init__(self, environment):
        get = environment.get
        self.function = get("FUNCTION_NAME") or get("K_SERVICE") or "function"
        self.namespace = get("FUNCTION_NAMESPACE") or get("NAMESPACE") or "knative-lambda"
        self.handler = get("HANDLER") or "main.handler"
        self.directory = get("FUNCTION_DIR") or os.path.dirname(os.path.abspath(__file__))
        self.timeout = float(get("TIMEOUT_SECONDS") or 300)
        self.grace = float(get("SHUTDOWN_GRACE_SECONDS") or 30)
        self.body_bytes_max = int(get("MAX_BODY_BYTES") or 10 << 20)
        self.port = int(get("PORT") or 8080)
        self.bare = get("HEARTH_REPLY") == "bare"
        self.development = get("HEARTH_DEV") == "1"
        self.debug = (get("LOG_LEVEL") or "").lower() == "debug"
        self.socket_fd = get("HEARTH_SOCKET_FD")
        self.control_fd = get("HEARTH_CONTROL_FD")


# ---- identifiers and time -----------------------------------------------------------------

def new_id():
    digits = os.urandom(16).hex()
    return "%s-%s-4%s-a%s-%s" % (digits[:8], digits[8:12], digits[13:16], digits[17:20],
                                 digits[20:])


def timestamp(now):
    whole = int(now)
    return "%s.%03dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)),
                         (now - whole) * 1000)


def percent_encode(text):
    return "".join("%%%02X" % byte for byte in text.encode("utf-8", "replace"))


def event_header(value):
    """A CloudEvent attribute as a header value."""
    if value is True or value is False:
        return "true" if value else "false"
    return NOT_EVENT_HEADER_TEXT.sub(lambda match: percent_encode(match.group()), str(value))


def event_text(value):
    """The opposite of event_header."""
    if "%" not in value:
        return value
    from urllib.parse import unquote
    return unquote(value)


def header_text(value):
    """Makes an identifier that came from outside safe to echo in a header."""
    if value.isascii() and value.isprintable():
        return value
    return event_header(value)


# ---- requests and events ------------------------------------------------------------------

class Request:
    """One request, whatever carried it. `event` holds the attributes of a CloudEvent."""

    __slots__ = ("method", "target", "path", "headers", "body", "event", "started", "cold",
                 "_correlation_id", "_invocation_id", "_trace")

    def __init__(self, method, target, headers, body):
        self.method = method
        self.target = target
        self.path = target.partition("?")[0] if "?" in target else target
        self.headers = headers
        self.body = body
        self.event = None
        self.cold = False
        self.started = 0.0
        self._correlation_id = self._invocation_id = self._trace = None

    @property
    def correlation_id(self):
        if self._correlation_id is None:
            self._correlation_id = self.headers.get("x-correlation-id") or self.event_id or new_id()
        return self._correlation_id

    @property
    def event_id(self):
        if self.event:
            return self.event.get("id")
        return event_text(self.headers.get("ce-id", ""))

    @property
    def invocation_id(self):
        if self._invocation_id is None:
            self._invocation_id = self.event_id or new_id()
        return self._invocation_id

    @property
    def traceparent(self):
        given = self.headers.get("traceparent")
        return given or (self.event.get("traceparent") if self.event else None)

    @property
    def trace(self):
        """(trace id, span id of this invocation, flags), or an empty tuple without a trace."""
        if self._trace is None:
            match = TRACEPARENT.fullmatch(self.traceparent or "")
            self._trace = (match[1], os.urandom(8).hex(), match[2]) if match else ()
        return self._trace


class Context:
    """The handler's optional second argument."""

    __slots__ = ("function_name", "namespace", "deadline_ms", "_request")

    def __init__(self, settings, request):
        self.function_name = settings.function
        self.namespace = settings.namespace
        self.deadline_ms = int((time.time() + settings.timeout) * 1000)
        self._request = request

    invocation_id = property(lambda self: self._request.invocation_id)
    correlation_id = property(lambda self: self._request.correlation_id)
    event = property(lambda self: self._request.event)
    headers = property(lambda self: self._request.headers)
    method = property(lambda self: self._request.method)
    path = property(lambda self: self._request.path)
    traceparent = property(lambda self: self._request.traceparent)
    trace_id = property(lambda self: (self._request.trace or (None,))[0])
    span_id = property(lambda self: (self._request.trace or (None, None))[1])

    @property
    def query(self):
        from urllib.parse import parse_qsl
        return dict(parse_qsl(self._request.target.partition("?")[2], keep_blank_values=True))

    def get_remaining_time_in_millis(self):
        return max(0, self.deadline_ms - int(time.time() * 1000))


def is_json_type(content_type):
    return content_type.endswith("/json") or content_type.endswith("+json")


def is_text_type(content_type):
    return (content_type.startswith("text/") or content_type.endswith("xml")
            or content_type.endswith("yaml") or content_type.endswith("javascript")
            or content_type == "application/x-www-form-urlencoded")


def json_or_none(body):
    """(found, value) of a body that nobody declared to be JSON."""
    try:
        return True, decode_json(body.decode())
    except ValueError:
        return False, None


def untyped_data(body):
    found, value = json_or_none(body)
    if found:
        return value
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body


def read_data(body, content_type, error_code):
    """The value that a handler sees for a body."""
    if not body:
        return {}
    kind = content_type.partition(";")[0].strip().lower()
    if is_json_type(kind):
        try:
            return decode_json(body.decode())
        except ValueError as problem:
            raise BadRequest(400, error_code, "data is not valid JSON: %s" % problem) from None
    if not kind:
        return untyped_data(body)
    # `curl -d '{...}'` sends this type. A form has its braces percent-encoded, so a body that
    # begins with one isn't a form.
    if kind == "application/x-www-form-urlencoded" and body[:1] in (b"{", b"["):
        return untyped_data(body)
    return body.decode("utf-8", "replace") if is_text_type(kind) else bytes(body)


def invalid_event(message):
    return BadRequest(400, "invalid_cloudevent", message)


def check_attributes(attributes):
    for name in REQUIRED_ATTRIBUTES:
        value = attributes.get(name)
        if not isinstance(value, str) or not value:
            raise invalid_event("required attribute '%s' is missing or empty" % name)
    if attributes["specversion"] != "1.0":
        raise invalid_event("attribute 'specversion' must be \"1.0\", not \"%s\""
                            % attributes["specversion"])


def read_binary_event(request):
    headers = request.headers
    attributes = {name[3:]: event_text(value) for name, value in headers.items()
                  if name.startswith("ce-")}
    content_type = headers.get("content-type", "")
    if content_type:
        attributes["datacontenttype"] = content_type
    check_attributes(attributes)
    request.event = attributes
    return read_data(request.body, content_type, "invalid_cloudevent")


def read_structured_event(request):
    try:
        event = decode_json(request.body.decode())
    except ValueError as problem:
        raise invalid_event("the event is not valid JSON: %s" % problem) from None
    if not isinstance(event, dict):
        raise invalid_event("the event must be a JSON object")
    check_attributes(event)
    data, encoded = event.pop("data", None), event.pop("data_base64", None)
    if encoded is not None:
        data = read_encoded_data(event, data, encoded)
    request.event = event
    return data


def read_encoded_data(event, data, encoded):
    import base64
    if data is not None:
        raise invalid_event("'data' and 'data_base64' exclude each other")
    try:
        body = base64.b64decode(encoded, validate=True)
    except (ValueError, TypeError):
        raise invalid_event("'data_base64' is not valid base64") from None
    content_type = event.get("datacontenttype") or "application/octet-stream"
    return read_data(body, str(content_type), "invalid_cloudevent")


def read_event(request):
    """The handler's first argument; sets request.event when the request is a CloudEvent."""
    headers = request.headers
    content_type = headers.get("content-type", "")
    if "ce-specversion" in headers:
        data = read_binary_event(request)
    elif content_type[:23].lower() == "application/cloudevents":
        if content_type[23:29].lower() == "-batch":
            raise invalid_event("batches of events are not supported, send them one by one")
        data = read_structured_event(request)
    elif request.body:
        data = read_data(request.body, content_type, "invalid_json")
    else:
        return {}
    return {} if data is None else data


# ---- replies ------------------------------------------------------------------------------
# A reply is (status, head, body): `head` holds "name: value\n" lines.

def json_head(correlation_id):
    return "content-type: application/json\nx-correlation-id: %s\n" % header_text(correlation_id)


def is_proxy_result(result):
    status = result.get("statusCode")
    return (type(status) is int and 100 <= status <= 599
            and ("body" in result or "headers" in result))


def is_event_result(result):
    return (type(result) is dict and "specversion" in result and "type" in result
            and "source" in result)


def header_lines(name, value):
    """Refuses line breaks: a value that a handler copied from its input must not add headers."""
    text = str(value)
    if not HEADER_NAME.fullmatch(name) or "\n" in text or "\r" in text or "\0" in text:
        raise ValueError("reply header %r is not a valid header" % name)
    return "%s: %s\n" % (name, text)


def user_head(result):
    lines, named = "", set()
    for group in (result.get("headers") or {}, result.get("multiValueHeaders") or {}):
        for name, value in group.items():
            name = str(name).lower()
            if name in TRANSPORT_HEADERS:
                continue
            named.add(name)
            for one in value if isinstance(value, (list, tuple)) else (value,):
                lines += header_lines(name, one)
    return lines, named


def content(value):
    """(content type, bytes) of a value on its own."""
    if type(value) is str:
        return "text/plain; charset=utf-8", value.encode("utf-8", "replace")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "application/octet-stream", bytes(value)
    return "application/json", encode_json(value).encode("utf-8", "replace")


def proxy_reply(request, result):
    status = result["statusCode"]
    if status < 200:
        raise ValueError("statusCode %d can't end a reply" % status)
    value = result.get("body")
    if result.get("isBase64Encoded") and value:
        import base64
        value = base64.b64decode(value)
    content_type, body = content("" if value is None else value)
    head, named = user_head(result)
    if "content-type" not in named and body:
        head += "content-type: %s\n" % content_type
    if "x-correlation-id" not in named:
        head += "x-correlation-id: %s\n" % header_text(request.correlation_id)
    return status, head, body


def bare_reply(request, result):
    if type(result) is dict and is_proxy_result(result):
        return proxy_reply(request, result)
    if result is None and request.event:
        # A body that isn't an event would make a broker treat the delivery as failed.
        return 204, "x-correlation-id: %s\n" % header_text(request.correlation_id), b""
    content_type, body = content(result)
    head = "content-type: %s\nx-correlation-id: %s\n" % (content_type,
                                                        header_text(request.correlation_id))
    return 200, head, body


def trace_head(request):
    """The reply continues the caller's trace with this invocation as the parent."""
    if not request.trace:
        return ""
    value = "00-%s-%s-%s" % request.trace
    return "traceparent: %s\nce-traceparent: %s\n" % (value, value)


def returned_event_reply(request, result):
    """The handler returned a CloudEvent of its own."""
    event = dict(result)
    value, encoded = event.pop("data", None), event.pop("data_base64", None)
    declared = event.pop("datacontenttype", None)
    if encoded is not None:
        import base64
        value = base64.b64decode(encoded)
    if type(value) is str and (not declared or is_json_type(declared.partition(";")[0])):
        content_type, body = "application/json", encode_json(value).encode("utf-8", "replace")
    elif value is None:
        content_type, body = None, b""
    else:
        content_type, body = content(value)
    event.setdefault("id", new_id())
    head = "".join(header_lines("ce-" + str(name).lower(), event_header(attribute))
                   for name, attribute in event.items() if attribute is not None)
    if body:
        head += header_lines("content-type", declared or content_type)
    head += "x-correlation-id: %s\n" % header_text(request.correlation_id)
    return 200, head + ("" if "traceparent" in event else trace_head(request)), body


def memory_used_mb():
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


class Replies:
    """Forms the replies of one function."""

    def __init__(self, settings):
        self.settings = settings
        self.source = event_header("io.knative.lambda/" + settings.function)
        self.subject = event_header(settings.function)
        self.envelope_start = '{"functionName":%s,"namespace":%s,"invocationId":' % (
            encode_json(settings.function), encode_json(settings.namespace))

    def success(self, request, result, seconds):
        if request.event is None:
            return bare_reply(request, result)
        if is_event_result(result):
            return returned_event_reply(request, result)
        if self.settings.bare:
            return bare_reply(request, result)
        if isinstance(result, (bytes, bytearray)):
            import base64
            result = base64.b64encode(result).decode()
        outcome = '"result":{"statusCode":200,"body":%s}' % encode_json(result)
        return self.enveloped(request, 200, "success", outcome, seconds)

    def failure(self, request, status, code, message, stack, seconds, retryable):
        error = {"code": code, "message": message, "retryable": retryable}
        if stack and self.settings.development:
            error["stack"] = stack
        if request.event is None or self.settings.bare:
            body = encode_json({"error": error, "correlationId": request.correlation_id})
            return status, json_head(request.correlation_id), body.encode("utf-8", "replace")
        kind = "timeout" if status == 504 else "error"
        return self.enveloped(request, status, kind, '"error":' + encode_json(error), seconds)

    def enveloped(self, request, status, kind, outcome, seconds):
        correlation_id, invocation_id = request.correlation_id, request.invocation_id
        body = '%s%s,"correlationId":%s,%s,"metrics":{"durationMs":%.3f,"coldStart":%s,' \
               '"memoryUsedMb":%.2f}}' % (
                   self.envelope_start, encode_json(invocation_id), encode_json(correlation_id),
                   outcome, seconds * 1000, "true" if request.cold else "false",
                   memory_used_mb())
        head = "ce-specversion: 1.0\nce-id: %s\nce-type: io.knative.lambda.response.%s\n" \
               "ce-source: %s\nce-subject: %s\nce-time: %s\nce-correlationid: %s\n" \
               "ce-causationid: %s\n" % (
                   new_id(), kind, self.source, self.subject, timestamp(time.time()),
                   event_header(correlation_id), event_header(invocation_id))
        head += trace_head(request) + json_head(correlation_id)
        return status, head, body.encode("utf-8", "replace")

    @staticmethod
    def bad_request(request, problem):
        body = encode_json({"error": problem.code, "message": problem.message})
        correlation_id = request.correlation_id
        return problem.status, json_head(correlation_id), body.encode("utf-8", "replace")


# ---- metrics and logs ---------------------------------------------------------------------

class Metrics:
    """Counters of this process. Connections count from their own threads, hence the lock."""

    def __init__(self, settings):
        self.labels = 'function="%s",namespace="%s"' % (
            label_text(settings.function), label_text(settings.namespace))
        self.lock = _thread.allocate_lock()
        self.invocations = {"success": 0, "error": 0}
        self.errors = {}
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0
        self.cold_starts = 0

    def count(self, status, seconds, error_type=None):
        with self.lock:
            self.invocations[status] = self.invocations.get(status, 0) + 1
            self.buckets[bisect_left(BUCKETS, seconds)] += 1
            self.seconds += seconds
            if error_type:
                self.errors[error_type] = self.errors.get(error_type, 0) + 1

    def take_cold_start(self):
        """True for the first caller only."""
        with self.lock:
            self.cold_starts += 1
            if self.cold_starts == 1:
                return True
            self.cold_starts = 1
            return False

    def totals(self):
        with self.lock:
            return sum(self.invocations.values()), sum(self.errors.values())

    def text(self):
        with self.lock:
            return "\n".join(self.lines()) + "\n"

    def lines(self):
        prefix, labels = "knative_lambda_function_", self.labels
        yield "# HELP %sinvocations_total Invocations by outcome." % prefix
        yield "# TYPE %sinvocations_total counter" % prefix
        for status, count in self.invocations.items():
            yield '%sinvocations_total{%s,status="%s"} %d' % (prefix, labels, status, count)
        yield "# HELP %serrors_total Failed invocations by error type." % prefix
        yield "# TYPE %serrors_total counter" % prefix
        for name, count in self.errors.items():
            yield '%serrors_total{%s,error_type="%s"} %d' % (prefix, labels, label_text(name),
                                                             count)
        yield from self.duration_lines(prefix + "duration_seconds")
        yield "# HELP %scold_starts_total Cold starts of this instance." % prefix
        yield "# TYPE %scold_starts_total counter" % prefix
        yield "%scold_starts_total{%s} %d" % (prefix, labels, self.cold_starts)

    def duration_lines(self, name):
        yield "# HELP %s Time spent in the handler." % name
        yield "# TYPE %s histogram" % name
        total = 0
        for bound, count in zip([*("%g" % bound for bound in BUCKETS), "+Inf"], self.buckets):
            total += count
            yield '%s_bucket{%s,le="%s"} %d' % (name, self.labels, bound, total)
        yield "%s_sum{%s} %.9g" % (name, self.labels, self.seconds)
        yield "%s_count{%s} %d" % (name, self.labels, total)


def label_text(value):
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Log:
    """One JSON object a line on standard output, written at once so that no line is lost."""

    def __init__(self, settings):
        self.settings = settings

    def write(self, level, message, **extras):
        line = {"level": level, "ts": timestamp(time.time()), "function": self.settings.function,
                "namespace": self.settings.namespace, "msg": message}
        line.update(extras)
        try:
            sys.stdout.flush()
            os.write(1, encode_json(line).encode("utf-8", "replace") + b"\n")
        except (OSError, ValueError, AttributeError):
            pass  # a log that nobody reads must not fail a request

    def request(self, level, message, request, **extras):
        if request.trace:
            extras["trace_id"], extras["span_id"] = request.trace[:2]
        self.write(level, message, correlation_id=request.correlation_id, **extras)


# ---- the handler --------------------------------------------------------------------------

def split_handler(name):
    """"module.function"; a bare function name means that function of main."""
    module, _, attribute = name.replace("/", ".").rpartition(".")
    return module or "main", attribute


def load_handler(settings):
    import importlib
    module_name, attribute = split_handler(settings.handler)
    module = importlib.import_module(module_name)
    handler = getattr(module, attribute, None)
    if callable(handler):
        return handler
    found = [name for name, value in vars(module).items()
             if callable(value) and not name.startswith("_")]
    raise ImportError("module '%s' has no function '%s'; callables found: %s"
                      % (module_name, attribute, ", ".join(found) or "none"))


def takes_context(handler):
    """Whether to pass (event, context) or (event) alone. Plain functions are read without the
    inspect module, which costs more than the rest of the start-up."""
    code = getattr(handler, "__code__", None)
    if code is None or hasattr(handler, "__wrapped__"):
        return takes_context_by_signature(handler)
    required = code.co_argcount - len(handler.__defaults__ or ())
    bound = 1 if getattr(handler, "__self__", None) is not None else 0
    if required - bound >= 2 or code.co_flags & 0x04:
        return True
    # An optional second parameter is the context only if it is called so.
    return code.co_argcount - bound >= 2 and is_context_name(code.co_varnames[1 + bound])


def takes_context_by_signature(handler):
    import inspect
    try:
        parameters = list(inspect.signature(handler).parameters.values())
    except (TypeError, ValueError):
        return False
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return True
    positional = [one for one in parameters
                  if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    return len(positional) >= 2 and (positional[1].default is inspect.Parameter.empty
                                     or is_context_name(positional[1].name))


def is_context_name(name):
    return name.strip("_").lower() in ("", "c", "ctx", "context")


def stack_text(error):
    import traceback
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


class Function:
    """The loaded handler and what answers for it. Shared by all connections."""

    def __init__(self, settings):
        self.settings = settings
        self.replies = Replies(settings)
        self.metrics = Metrics(settings)
        self.log = Log(settings)
        self.handler = None
        self.with_context = False
        self.load_error = {"error": "NotLoaded", "message": "the handler is being loaded",
                           "traceback": ""}
        self.never_called = True
        self.routes = {"/health": self.health, "/healthz": self.health, "/readyz": self.readiness,
                       "/metrics": self.metrics_page}

    def load(self):
        """True when the handler is there; else load_error says why not."""
        try:
            self.handler = load_handler(self.settings)
            self.with_context = takes_context(self.handler)
            self.load_error = None
            self.log.write("info", "Handler loaded successfully", handler=self.settings.handler)
            return True
        except BaseException as error:  # SyntaxError, SystemExit at import: all mean "not ready"
            self.load_error = {"error": type(error).__name__, "message": str(error),
                               "traceback": stack_text(error)}
            self.log.write("error", "Handler failed to load", error_type=type(error).__name__,
                           error_message=str(error), stack=self.load_error["traceback"],
                           handler=self.settings.handler)
            return False

    def respond(self, request, connection):
        route = self.routes.get(request.path)
        if route and request.method in ("GET", "HEAD"):
            return route(request)
        try:
            data = read_event(request)
        except BadRequest as problem:
            return self.replies.bad_request(request, problem)
        except RecursionError:
            problem = BadRequest(400, "invalid_json", "the data is nested too deeply")
            return self.replies.bad_request(request, problem)
        if self.handler is None:
            failed = self.load_error
            return self.replies.failure(request, 503, failed["error"], failed["message"],
                                        failed["traceback"], 0.0, False)
        return self.invoke(request, data, connection)

    def invoke(self, request, data, connection):
        if self.never_called:
            request.cold = self.metrics.take_cold_start()
            self.never_called = False
        if self.settings.debug:
            self.log_start(request)
        started = request.started = time.monotonic()
        connection.begin(request, started + self.settings.timeout)
        try:
            if self.with_context:
                result = self.handler(data, Context(self.settings, request))
            else:
                result = self.handler(data)
            if result.__class__ not in PLAIN_RESULTS and hasattr(result, "__await__"):
                result = connection.run_async(result)
            connection.claim()
            seconds = time.monotonic() - started
            reply = self.replies.success(request, result, seconds)
            self.metrics.count("success", seconds)
        except Disconnected:
            raise
        except BaseException as error:  # sys.exit() in a handler fails the request, no more
            connection.claim()
            reply = self.failed(request, error, time.monotonic() - started)
        if self.settings.debug:
            self.log.request("debug", "Invocation completed", request, status=reply[0],
                             duration_ms=round((time.monotonic() - started) * 1000, 3))
        return mark_cold(reply) if request.cold else reply

    def failed(self, request, error, seconds):
        code, stack = type(error).__name__, stack_text(error)
        self.metrics.count("error", seconds, code)
        self.log.request("error", "Invocation failed", request, error_type=code,
                         error_message=str(error), stack=stack)
        return self.replies.failure(request, 500, code, str(error), stack, seconds,
                                    code not in NOT_RETRYABLE)

    def timed_out(self, request):
        seconds = time.monotonic() - request.started
        message = "the handler did not finish within %g s" % self.settings.timeout
        self.metrics.count("timeout", seconds, "TimeoutError")
        self.log.request("error", "Invocation failed", request, error_type="TimeoutError",
                         error_message=message, stack="")
        reply = self.replies.failure(request, 504, "TimeoutError", message, None, seconds, True)
        return mark_cold(reply) if request.cold else reply

    def log_start(self, request):
        event = request.event or {}
        self.log.request("debug", "Invocation started", request, event_id=event.get("id"),
                         event_type=event.get("type"), event_source=event.get("source"),
                         cold_start=request.cold)

    def health(self, request):
        invocations, errors = self.metrics.totals()
        body = encode_json({"status": "healthy", "function": self.settings.function,
                            "namespace": self.settings.namespace, "invocations": invocations,
                            "errors": errors})
        return 200, json_head(request.correlation_id), body.encode()

    def readiness(self, request):
        if self.load_error is None:
            return self.health(request)
        body = encode_json(dict({"status": "not ready"}, **self.load_error))
        return 503, json_head(request.correlation_id), body.encode("utf-8", "replace")

    def metrics_page(self, request):
        head = "content-type: text/plain; version=0.0.4; charset=utf-8\nx-correlation-id: %s\n"
        return 200, head % header_text(request.correlation_id), self.metrics.text().encode()


def mark_cold(reply):
    return reply[0], reply[1] + "x-hearth-cold: true\n", reply[2]


# ---- connections --------------------------------------------------------------------------

class Connection:
    """One accepted socket and the thread that serves it.

    The main thread may answer in the handler's place when the time limit passes; `claim` and
    `expire` agree under a lock on who of the two does. After `expire` the connection is dead and
    its thread ends as soon as the handler returns.
    """

    def __init__(self, sock, settings):
        self.sock = sock
        self.receive = sock.recv
        self.settings = settings
        self.buffer = b""
        self.idle = True
        self.dead = False
        self.last = False
        self.deadline = FOREVER
        self.request = None
        self.lock = _thread.allocate_lock()
        self.loop = self.task = None

    def begin(self, request, deadline):
        self.request = request
        self.deadline = deadline

    def claim(self):
        with self.lock:
            self.deadline = FOREVER
            if self.dead:
                raise Disconnected

    def expire(self, now):
        """True when the caller has to send the timeout reply."""
        with self.lock:
            if self.deadline > now:
                return False
            self.dead = True
        return True

    def cancel(self):
        """Ends an asynchronous handler; one that blocks its thread can't be ended."""
        task = self.task
        if task is not None:
            self.loop.call_soon_threadsafe(task.cancel)

    def run_async(self, awaitable):
        import asyncio
        if self.loop is None:
            # One loop for the life of the connection: a loop per request costs 50 times more,
            # and clients that a handler keeps between requests stay usable.
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        self.task = asyncio.ensure_future(awaitable, loop=self.loop)
        try:
            return self.loop.run_until_complete(self.task)
        finally:
            self.task = None

    def fill(self, count):
        """Makes the buffer hold at least `count` bytes."""
        buffer = self.buffer
        while len(buffer) < count:
            chunk = self.receive(max(RECEIVE_BYTES, count - len(buffer)))
            if not chunk:
                raise Disconnected
            self.idle = False
            buffer = buffer + chunk if buffer else chunk
        self.buffer = buffer
        return buffer

    def serve(self, function):
        while True:
            # In this order, and drain_step() in the other: one of the two sees what the other did.
            # Else a connection that was just answered would be waited for until the grace is over.
            self.idle = not self.buffer
            if self.last:
                return
            try:
                request = self.read_request()
                reply = function.respond(request, self)
            except BadRequest as problem:
                # The rest of the body isn't read, so this connection can't be used again.
                self.last = True
                request = Request("POST", "/", {}, b"")
                reply = function.replies.bad_request(request, problem)
                self.sock.sendall(self.encode_reply(request.method, *reply))
                self.linger()
                return
            self.sock.sendall(self.encode_reply(request.method, *reply))

    def linger(self):
        """A local host finds the reply also when the connection is closed at once."""

    def finish(self):
        if self.loop is not None:
            self.loop.close()
        if not self.dead:  # else the main thread may still be sending its reply
            self.sock.close()

    def check_body_size(self, size):
        if size > self.settings.body_bytes_max:
            raise BadRequest(413, "body_too_large", "the body is larger than %d bytes"
                             % self.settings.body_bytes_max)


def to_text(raw):
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def add_header(headers, name, value):
    """A repeated header is one list."""
    if name in headers:
        value = headers[name] + ("; " if name == "cookie" else ", ") + value
    headers[name] = value


class FramedConnection(Connection):
    """Frames of the local host: u32 length, u8 type, u8 flags, u16 zero, then the payload."""

    def read_frame(self, expected):
        buffer = self.buffer
        if len(buffer) < 8:
            buffer = self.fill(8)
        length, kind, flags, zero = FRAME_HEADER.unpack_from(buffer)
        if kind != expected or length > FRAME_BYTES_MAX or zero:
            raise Disconnected
        end = 8 + length
        if len(buffer) < end:
            buffer = self.fill(end)
        self.buffer = buffer[end:]
        return flags & FRAME_END, buffer[8:end]

    def read_request(self):
        ended, payload = self.read_frame(FRAME_HEAD)
        lines = to_text(payload).split("\n")
        method, _, target = lines[0].partition(" ")
        if not target or lines.pop():
            raise Disconnected
        headers = {}
        for index in range(1, len(lines)):
            name, separator, value = lines[index].partition(":")
            if not separator:
                raise Disconnected
            value = value.strip()
            if name in headers:
                add_header(headers, name, value)
            else:
                headers[name] = value
        return Request(method, target, headers, b"" if ended else self.read_body())

    def read_body(self):
        ended, body = self.read_frame(FRAME_DATA)
        self.check_body_size(len(body))
        if ended:
            return body
        parts, size = [body], len(body)
        while not ended:
            ended, body = self.read_frame(FRAME_DATA)
            size += len(body)
            self.check_body_size(size)
            parts.append(body)
        return b"".join(parts)

    def encode_reply(self, method, status, head, body):
        size = len(body)
        payload = ("%d\n%scontent-length: %d\n" % (status, head, size)).encode()
        if not size or method == "HEAD":
            return FRAME_HEADER.pack(len(payload), FRAME_HEAD, FRAME_END, 0) + payload
        start = FRAME_HEADER.pack(len(payload), FRAME_HEAD, 0, 0) + payload
        if size <= DATA_BYTES_MAX:
            return start + FRAME_HEADER.pack(size, FRAME_DATA, FRAME_END, 0) + body
        parts = [start]
        for offset in range(0, size, DATA_BYTES_MAX):
            part = body[offset:offset + DATA_BYTES_MAX]
            flags = FRAME_END if offset + DATA_BYTES_MAX >= size else 0
            parts += FRAME_HEADER.pack(len(part), FRAME_DATA, flags, 0), part
        return b"".join(parts)


class HttpConnection(Connection):
    """HTTP/1.1 with keep-alive, bounded head and body."""

    def __init__(self, sock, settings):
        super().__init__(sock, settings)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Kernel time limits cost nothing per request, unlike settimeout(), which polls first.
        limit = struct.pack("@ll", IDLE_SECONDS_MAX, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def read_until(self, mark, limit, problem):
        buffer = self.buffer
        while True:
            position = buffer.find(mark)
            if position >= 0:
                self.buffer = buffer[position + len(mark):]
                return buffer[:position]
            if len(buffer) > limit:
                raise problem
            buffer = self.fill(len(buffer) + 1)

    def read_request(self):
        too_large = BadRequest(431, "head_too_large", "the request head is too large")
        lines = to_text(self.read_until(b"\r\n\r\n", HEAD_BYTES_MAX, too_large)).split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequest(400, "bad_request", "malformed request line")
        headers = self.read_headers(lines)
        connection = headers.get("connection", "").lower()
        # Never back to False: a drain may have marked this connection as the last already.
        if "close" in connection or (words[2] == "HTTP/1.0" and "keep-alive" not in connection):
            self.last = True
        return Request(words[0], self.path_of(words[1]), headers, self.read_body(headers))

    @staticmethod
    def path_of(target):
        """Proxies may send an absolute URL."""
        if target.startswith("/") or "://" not in target:
            return target
        return "/" + target.split("://", 1)[1].partition("/")[2]

    @staticmethod
    def read_headers(lines):
        if len(lines) > HEADERS_MAX:
            raise BadRequest(431, "head_too_large", "the request has too many headers")
        headers = {}
        for line in lines[1:]:
            name, separator, value = line.partition(":")
            if not separator or not HEADER_NAME.fullmatch(name):
                raise BadRequest(400, "bad_request", "malformed header")
            add_header(headers, name.lower(), value.strip())
        return headers

    def read_body(self, headers):
        coding = headers.get("transfer-encoding")
        length = headers.get("content-length")
        if coding is None and length is None:
            return b""
        if coding is not None and (coding.lower() != "chunked" or length is not None):
            raise BadRequest(400, "bad_request", "unsupported transfer encoding")
        if length is not None:
            if not (length.isascii() and length.isdigit()):
                raise BadRequest(400, "bad_request", "malformed content-length")
            self.check_body_size(int(length))
        if headers.get("expect", "").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return self.read_chunks() if length is None else self.read_exactly(int(length))

    def read_exactly(self, count):
        parts, missing = [self.buffer[:count]], count - len(self.buffer)
        self.buffer = self.buffer[count:]
        while missing > 0:
            part = self.receive(min(missing, 1 << 20))
            if not part:
                raise Disconnected
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def read_chunks(self):
        parts, size = [], 0
        malformed = BadRequest(400, "bad_request", "malformed chunk")
        while True:
            line = self.read_until(b"\r\n", 1024, malformed)
            digits = line.partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", digits):
                raise malformed
            length = int(digits, 16)
            if not length:
                break
            size += length
            self.check_body_size(size)
            parts.append(self.read_exactly(length))
            if self.read_exactly(2) != b"\r\n":
                raise malformed
        while self.read_until(b"\r\n", HEAD_BYTES_MAX, malformed):
            pass  # trailers have no meaning here
        return b"".join(parts)

    def linger(self):
        """RFC 9112 section 9.6: to close while the client still sends resets the connection, and
        the reset may destroy the reply before the client has read it."""
        self.sock.shutdown(socket.SHUT_WR)
        end = time.monotonic() + LINGER_SECONDS
        limit = struct.pack("@ll", LINGER_SECONDS, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        while self.receive(RECEIVE_BYTES) and time.monotonic() < end:
            pass

    def encode_reply(self, method, status, head, body):
        lines = "HTTP/1.1 %d %s\r\n%s" % (status, REASONS.get(status, "Status"),
                                          head.replace("\n", "\r\n"))
        if status not in (204, 304):
            lines += "content-length: %d\r\n" % len(body)
        if self.last:
            lines += "connection: close\r\n"
        if method == "HEAD" or status in (204, 304):
            body = b""
        return (lines + "\r\n").encode() + body


# ---- the process --------------------------------------------------------------------------

class Server:
    """The main thread's loop: new connections, control socket, signals, time limits, drain."""

    def __init__(self, settings, control):
        self.settings = settings
        self.function = Function(settings)
        self.control = control
        self.connections = set()
        self.stop_by = None
        self.kind = FramedConnection if settings.socket_fd else HttpConnection
        self.wake_reader, self.wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.poller = select.poll()
        self.poller.register(self.wake_reader, select.POLLIN)
        if control is not None:
            self.poller.register(control, select.POLLIN)
        self.listener = None

    def report(self, message):
        if self.control is None:
            return
        try:
            self.control.sendall(encode_json(message).encode("utf-8", "replace") + b"\n")
        except OSError:
            leave(1)  # the host is gone

    def install_signals(self):
        # Explicitly, because the kernel ignores a signal without a handler for process 1.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.on_signal)
        # The fork server blocks these until there is somebody to receive them.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT))

    def on_signal(self, _number, _frame):
        if self.listener is None:
            leave(0)  # still loading: no request is running
        if self.stop_by is None:
            self.stop_by = time.monotonic() + self.settings.grace
        self.wake()

    def wake(self):
        try:
            os.write(self.wake_writer, b"!")
        except OSError:
            pass  # full: the loop will wake anyway

    def start(self):
        self.install_signals()
        self.function.log.write("info", "Lambda runtime started", language="python",
                                version=sys.version.split()[0], handler=self.settings.handler)
        loaded = self.function.load()
        if not loaded and self.control is not None:
            self.report(dict({"type": "failed"}, **self.function.load_error))
            leave(1)
        self.install_signals()  # in case that the user's module replaced them
        self.listener = open_listener(self.settings)
        self.poller.register(self.listener, select.POLLIN)
        self.report({"type": "ready"})

    def run(self):
        self.start()
        while True:
            if self.stop_by is not None:
                self.drain_step()
            for descriptor, _events in self.poller.poll(self.wait_ms()):
                if descriptor == self.wake_reader:
                    os.read(descriptor, 4096)
                elif self.listener is not None and descriptor == self.listener.fileno():
                    self.accept()
                elif self.control is not None and descriptor == self.control.fileno():
                    self.read_control()
            self.expire()

    def wait_ms(self):
        """Time until somebody may have to be timed out. All requests have the same limit, so
        one that starts during the wait can't be due before the wait is over: requests need not
        tell this thread that they began."""
        if not self.connections:
            return None if self.stop_by is None else 0
        now = time.monotonic()
        due = min([now + self.settings.timeout, self.stop_by or FOREVER]
                  + [one.deadline for one in tuple(self.connections)])
        return max(0, int((due - now) * 1000) + 1)

    def accept(self):
        try:
            sock, _address = self.listener.accept()
        except OSError:
            return
        connection = self.kind(sock, self.settings)
        self.connections.add(connection)
        _thread.start_new_thread(self.serve, (connection,))

    def serve(self, connection):
        """Runs in the connection's thread."""
        try:
            connection.serve(self.function)
        except (Disconnected, OSError):
            pass
        except BaseException as error:
            self.function.log.write("error", "Connection failed", error_type=type(error).__name__,
                                    error_message=str(error), stack=stack_text(error))
        connection.finish()
        self.connections.discard(connection)
        if self.stop_by is not None:
            self.wake()

    def read_control(self):
        """Nothing is ever sent to us here: readable means that the host has gone."""
        if not self.control.recv(4096):
            os._exit(1)

    def expire(self):
        now = time.monotonic()
        for connection in tuple(self.connections):
            if connection.deadline <= now and connection.expire(now):
                self.send_timeout(connection)

    def send_timeout(self, connection):
        self.connections.discard(connection)
        request = connection.request
        connection.last = True
        reply = self.function.timed_out(request)
        try:
            connection.sock.send(connection.encode_reply(request.method, *reply),
                                 socket.MSG_DONTWAIT)
        except OSError:
            pass
        connection.sock.close()
        self.report({"type": "timeout"})
        try:
            connection.cancel()
        except RuntimeError:
            pass  # its loop has just been closed: the handler ended by itself

    def drain_step(self):
        """Stops accepting, lets running requests finish, then ends the process."""
        if self.listener.fileno() >= 0:
            self.poller.unregister(self.listener)
            self.listener.close()
        for connection in tuple(self.connections):
            connection.last = True
            if connection.idle:
                self.stop_reading(connection)
        if not self.connections or time.monotonic() >= self.stop_by:
            leave(0)

    @staticmethod
    def stop_reading(connection):
        """What has arrived is still read and answered; the sender of later bytes is told."""
        try:
            connection.sock.shutdown(socket.SHUT_RD)
        except OSError:
            pass


def open_listener(settings):
    if settings.socket_fd:
        listener = socket.socket(fileno=int(settings.socket_fd))
        listener.set_inheritable(False)
        return listener
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", settings.port))
    listener.listen(1024)
    return listener


def open_control(settings):
    if not settings.control_fd:
        return None
    control = socket.socket(fileno=int(settings.control_fd))
    control.set_inheritable(False)
    return control


def leave(code):
    """Ends the process even when threads of the handler are still busy."""
    try:
        if "atexit" in sys.modules:
            sys.modules["atexit"]._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        pass
    os._exit(code)


def main():
    settings = Settings(os.environ)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
    if settings.directory not in sys.path:
        sys.path.insert(0, settings.directory)
    Server(settings, open_control(settings)).run()


if __name__ == "__main__":
    # A function that imports "runtime" must get this module, not a second copy of it.
    sys.modules["runtime"] = sys.modules["__main__"]
    main()
