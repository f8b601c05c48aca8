'use strict';
// Serves one Node.js function: loads HANDLER once and calls it for every request.
//
// The same file runs in two places. In a container it is an HTTP/1.1 server on PORT. On a laptop
// it inherits a listening Unix socket (HEARTH_SOCKET_FD) and speaks a framed protocol on it, and a
// control socket (HEARTH_CONTROL_FD) on which it tells "ready", "failed" and "timeout". With
// HEARTH_ORDER_FD it waits for its function first.
//
// Everything runs on the event loop. A handler that never yields therefore can't be timed out
// from here; the host's own limit ends such an instance.
//
// Rarely needed modules are required where they are used: start-up is what a cold request waits
// for.

// A function's package.json may say "type": "module", which makes this file, too, a module without
// require(). (Node.js before 20.16 can't run such a function.)
const requireModule = typeof require === 'function'
  ? require
  : process.getBuiltinModule('node:module').createRequire(process.argv[1]);
const fs = requireModule('node:fs');
const net = requireModule('node:net');
const path = requireModule('node:path');

const FRAME_HEADER_BYTES = 8;
const FRAME_HEAD = 1;
const FRAME_DATA = 2;
const FRAME_END = 1;
const FRAME_BYTES_MAX = 1 << 20;
const DATA_BYTES_MAX = 1 << 16;
const HEAD_BYTES_MAX = 1 << 16;
// Longer than the 90 s after which Go's clients (the usual callers) drop an idle connection.
const IDLE_MS_MAX = 120_000;
// How long a client may go on sending what is refused.
const LINGER_MS = 2_000;
// setTimeout() fires at once for anything longer.
const TIMER_MS_MAX = 2 ** 31 - 1;

const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const NOT_RETRYABLE = new Set(['TypeError', 'RangeError', 'SyntaxError']);
const REQUIRED_ATTRIBUTES = ['specversion', 'id', 'source', 'type'];
// The transport decides these; a handler that copies them from elsewhere must not break framing.
const TRANSPORT_HEADERS = new Set(
  ['content-length', 'transfer-encoding', 'connection', 'keep-alive']);
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;
const PLAIN_TEXT = /^[\x20-\x7e]*$/;
const NO_BODY = Buffer.alloc(0);

const settings = {};

function readSettings(environment) {
  Object.assign(settings, {
    functionName: environment.FUNCTION_NAME || environment.K_SERVICE || 'function',
    namespace: environment.FUNCTION_NAMESPACE || environment.NAMESPACE || 'knative-lambda',
    handler: environment.HANDLER || 'index.handler',
    directory: environment.FUNCTION_DIR || path.dirname(process.argv[1]),
    timeoutMs: Number(environment.TIMEOUT_SECONDS || 300) * 1000,
    graceMs: Number(environment.SHUTDOWN_GRACE_SECONDS || 30) * 1000,
    bodyBytesMax: Number(environment.MAX_BODY_BYTES || 10 << 20),
    port: Number(environment.PORT || 8080),
    bare: environment.HEARTH_REPLY === 'bare',
    development: environment.HEARTH_DEV === '1',
    debug: (environment.LOG_LEVEL || '').toLowerCase() === 'debug',
    socketFd: environment.HEARTH_SOCKET_FD,
    controlFd: environment.HEARTH_CONTROL_FD,
    orderFd: environment.HEARTH_ORDER_FD,
  });
}

// ---- identifiers --------------------------------------------------------------------------

const newId = () => requireModule('node:crypto').randomUUID();

const percentEncode = (text) => Array.from(Buffer.from(text, 'utf8'),
  (byte) => '%' + byte.toString(16).toUpperCase().padStart(2, '0')).join('');

// A CloudEvent attribute as a header value.
const eventHeader = (value) => String(value).replace(/[^\x21\x23\x24\x26-\x7e]+/g, percentEncode);

// The opposite. A stray percent sign is no reason to refuse an event.
function eventText(value) {
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

// Makes an identifier that came from outside safe to echo in a header.
const headerText = (value) => (PLAIN_TEXT.test(value) ? value : eventHeader(value));

// ---- requests and events ------------------------------------------------------------------

class BadRequest extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const invalidEvent = (message) => new BadRequest(400, 'invalid_cloudevent', message);

// One request, whatever carried it. `event` holds the attributes of a CloudEvent.
class Request {
  constructor(method, target, headers, body) {
    const question = target.indexOf('?');
    this.method = method;
    this.path = question < 0 ? target : target.slice(0, question);
    this.queryText = question < 0 ? '' : target.slice(question + 1);
    this.headers = headers;
    this.body = body;
    this.event = null;
    this.cold = false;
    this.known = { correlationId: null, invocationId: null, trace: null };
  }

  get correlationId() {
    return (this.known.correlationId ??=
      this.headers['x-correlation-id'] || this.eventId || newId());
  }

  get eventId() {
    return this.event ? this.event.id : eventText(this.headers['ce-id'] || '');
  }

  get invocationId() {
    return (this.known.invocationId ??= this.eventId || newId());
  }

  get traceparent() {
    return this.headers.traceparent || this.event?.traceparent;
  }

  // { traceId, spanId of this invocation, flags }, or false without a trace.
  get trace() {
    return (this.known.trace ??= this.readTrace());
  }

  readTrace() {
    const match = TRACEPARENT.exec(this.traceparent || '');
    if (!match) return false;
    const spanId = requireModule('node:crypto').randomBytes(8).toString('hex');
    return { traceId: match[1], spanId, flags: match[2] };
  }
}

// The handler's second argument.
function makeContext(request) {
  const deadlineMs = Date.now() + settings.timeoutMs;
  return {
    functionName: settings.functionName,
    namespace: settings.namespace,
    invocationId: request.invocationId,
    correlationId: request.correlationId,
    deadlineMs,
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
    event: request.event,
    headers: request.headers,
    method: request.method,
    path: request.path,
    query: request.queryText ? Object.fromEntries(new URLSearchParams(request.queryText)) : {},
    traceparent: request.traceparent,
    traceId: request.trace ? request.trace.traceId : undefined,
    spanId: request.trace ? request.trace.spanId : undefined,
  };
}

const mediaType = (value) => value.split(';', 1)[0].trim().toLowerCase();
const isJsonType = (type) => type.endsWith('/json') || type.endsWith('+json');
const isTextType = (type) => type.startsWith('text/')
  || type === 'application/x-www-form-urlencoded' || /(xml|yaml|javascript)$/.test(type);

function untypedData(body) {
  const text = body.toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    return requireModule('node:buffer').isUtf8(body) ? text : body;
  }
}

// The value that a handler sees for a body.
function readData(body, contentType, errorCode) {
  if (body.length === 0) return {};
  const type = mediaType(contentType);
  if (isJsonType(type)) {
    try {
      return JSON.parse(body.toString('utf8'));
    } catch (problem) {
      throw new BadRequest(400, errorCode, `data is not valid JSON: ${problem.message}`);
    }
  }
  if (!type) return untypedData(body);
  // `curl -d '{...}'` sends this type. A form has its braces percent-encoded, so a body that
  // begins with one isn't a form.
  if (type === 'application/x-www-form-urlencoded' && (body[0] === 0x7b || body[0] === 0x5b)) {
    return untypedData(body);
  }
  return isTextType(type) ? body.toString('utf8') : body;
}

function checkAttributes(attributes) {
  for (const name of REQUIRED_ATTRIBUTES) {
    const value = attributes[name];
    if (typeof value !== 'string' || value === '') {
      throw invalidEvent(`required attribute '${name}' is missing or empty`);
    }
  }
  if (attributes.specversion !== '1.0') {
    throw invalidEvent(`attribute 'specversion' must be "1.0", not "${attributes.specversion}"`);
  }
}

function readBinaryEvent(request) {
  const attributes = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (name.startsWith('ce-')) attributes[name.slice(3)] = eventText(value);
  }
  const contentType = request.headers['content-type'] || '';
  if (contentType) attributes.datacontenttype = contentType;
  checkAttributes(attributes);
  request.event = attributes;
  return readData(request.body, contentType, 'invalid_cloudevent');
}

function readStructuredEvent(request) {
  let event;
  try {
    event = JSON.parse(request.body.toString('utf8'));
  } catch (problem) {
    throw invalidEvent(`the event is not valid JSON: ${problem.message}`);
  }
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    throw invalidEvent('the event must be a JSON object');
  }
  checkAttributes(event);
  const { data, data_base64: encoded, ...attributes } = event;
  request.event = attributes;
  return encoded == null ? data : readEncodedData(attributes, data, encoded);
}

function readEncodedData(attributes, data, encoded) {
  if (data != null) throw invalidEvent("'data' and 'data_base64' exclude each other");
  // Buffer.from() skips what isn't base64 instead of refusing it.
  const valid = typeof encoded === 'string' && encoded.length % 4 === 0
    && /^[A-Za-z0-9+/]*={0,2}$/.test(encoded);
  if (!valid) throw invalidEvent("'data_base64' is not valid base64");
  const type = String(attributes.datacontenttype || 'application/octet-stream');
  return readData(Buffer.from(encoded, 'base64'), type, 'invalid_cloudevent');
}

// The handler's first argument; sets request.event when the request is a CloudEvent.
function readEvent(request) {
  const contentType = request.headers['content-type'] || '';
  const start = contentType.slice(0, 29).toLowerCase();
  let data;
  if (request.headers['ce-specversion'] !== undefined) {
    data = readBinaryEvent(request);
  } else if (start.startsWith('application/cloudevents-batch')) {
    throw invalidEvent('batches of events are not supported, send them one by one');
  } else if (start.startsWith('application/cloudevents')) {
    data = readStructuredEvent(request);
  } else {
    data = readData(request.body, contentType, 'invalid_json');
  }
  return data ?? {};
}

// ---- replies ------------------------------------------------------------------------------
// A reply is { status, head, body }: `head` is a list of [name, value], body a Buffer.

const correlationHeader = (request) => ['x-correlation-id', headerText(request.correlationId)];

function jsonReply(request, status, text) {
  return {
    status,
    head: [['content-type', 'application/json'], correlationHeader(request)],
    body: Buffer.from(text),
  };
}

// JSON.stringify() answers undefined for what JSON can't say.
function toJson(value) {
  return JSON.stringify(value) ?? 'null';
}

const isBytes = (value) => value instanceof Uint8Array;
const isObject = (value) => typeof value === 'object' && value !== null;
const isProxyResult = (result) => isObject(result) && Number.isInteger(result.statusCode)
  && result.statusCode >= 100 && result.statusCode <= 599
  && ('body' in result || 'headers' in result);
const isEventResult = (result) => isObject(result) && 'specversion' in result
  && 'type' in result && 'source' in result;

// Refuses line breaks: a value that a handler copied from its input must not add headers.
function checkedHeader(name, value) {
  const text = String(value);
  if (!HEADER_NAME.test(name) || /[\r\n\0]/.test(text)) {
    throw new TypeError(`reply header ${JSON.stringify(name)} is not a valid header`);
  }
  return [name, text];
}

function userHead(result) {
  const head = [];
  for (const group of [result.headers || {}, result.multiValueHeaders || {}]) {
    for (const [givenName, value] of Object.entries(group)) {
      const name = givenName.toLowerCase();
      if (TRANSPORT_HEADERS.has(name)) continue;
      for (const one of Array.isArray(value) ? value : [value]) {
        head.push(checkedHeader(name, one));
      }
    }
  }
  return head;
}

// [content type, Buffer] of a value on its own.
function content(value) {
  if (typeof value === 'string') return ['text/plain; charset=utf-8', Buffer.from(value)];
  if (isBytes(value)) return ['application/octet-stream', Buffer.from(value)];
  return ['application/json', Buffer.from(toJson(value))];
}

function proxyReply(request, result) {
  if (result.statusCode < 200) {
    throw new RangeError(`statusCode ${result.statusCode} can't end a reply`);
  }
  let value = result.body ?? '';
  if (result.isBase64Encoded && value) value = Buffer.from(value, 'base64');
  const [contentType, body] = content(value);
  const head = userHead(result);
  const has = (wanted) => head.some(([name]) => name === wanted);
  if (body.length > 0 && !has('content-type')) head.push(['content-type', contentType]);
  if (!has('x-correlation-id')) head.push(correlationHeader(request));
  return { status: result.statusCode, head, body };
}

function bareReply(request, result) {
  if (isProxyResult(result)) return proxyReply(request, result);
  if (result == null && request.event) {
    // A body that isn't an event would make a broker treat the delivery as failed.
    return { status: 204, head: [correlationHeader(request)], body: NO_BODY };
  }
  const [contentType, body] = content(result);
  return { status: 200, head: [['content-type', contentType], correlationHeader(request)], body };
}

// The reply continues the caller's trace with this invocation as the parent.
function traceHead(request) {
  if (!request.trace) return [];
  const { traceId, spanId, flags } = request.trace;
  const value = `00-${traceId}-${spanId}-${flags}`;
  return [['traceparent', value], ['ce-traceparent', value]];
}

// The handler returned a CloudEvent of its own.
function returnedEventReply(request, result) {
  const { data, data_base64: encoded, datacontenttype: declared, ...attributes } = result;
  const value = encoded == null ? data : Buffer.from(encoded, 'base64');
  let [contentType, body] = value == null ? [null, NO_BODY] : content(value);
  if (typeof value === 'string' && (!declared || isJsonType(mediaType(declared)))) {
    [contentType, body] = ['application/json', Buffer.from(toJson(value))];
  }
  attributes.id ||= newId();
  const head = Object.entries(attributes).filter(([, attribute]) => attribute != null)
    .map(([name, attribute]) => checkedHeader('ce-' + name.toLowerCase(), eventHeader(attribute)));
  if (body.length > 0) head.push(checkedHeader('content-type', declared || contentType));
  head.push(correlationHeader(request));
  if (!attributes.traceparent) head.push(...traceHead(request));
  return { status: 200, head, body };
}

function successReply(request, result, durationMs) {
  if (request.event === null) return bareReply(request, result);
  if (isEventResult(result)) return returnedEventReply(request, result);
  if (settings.bare) return bareReply(request, result);
  const body = isBytes(result) ? Buffer.from(result).toString('base64') : result ?? null;
  return enveloped(request, 200, 'success', { result: { statusCode: 200, body } }, durationMs);
}

function failureReply(request, status, failure, durationMs) {
  const error = { code: failure.code, message: failure.message, retryable: failure.retryable };
  if (settings.development && failure.stack) error.stack = failure.stack;
  if (request.event === null || settings.bare) {
    return jsonReply(request, status, toJson({ error, correlationId: request.correlationId }));
  }
  return enveloped(request, status, status === 504 ? 'timeout' : 'error', { error }, durationMs);
}

function enveloped(request, status, kind, outcome, durationMs) {
  const { correlationId, invocationId } = request;
  const text = toJson({
    functionName: settings.functionName,
    namespace: settings.namespace,
    invocationId,
    correlationId,
    ...outcome,
    metrics: { durationMs, coldStart: request.cold, memoryUsedMb: memoryUsedMb() },
  });
  const reply = jsonReply(request, status, text);
  reply.head.push(
    ['ce-specversion', '1.0'],
    ['ce-id', newId()],
    ['ce-type', `io.knative.lambda.response.${kind}`],
    ['ce-source', eventHeader(`io.knative.lambda/${settings.functionName}`)],
    ['ce-subject', eventHeader(settings.functionName)],
    ['ce-time', new Date().toISOString()],
    ['ce-correlationid', eventHeader(correlationId)],
    ['ce-causationid', eventHeader(invocationId)],
    ...traceHead(request));
  return reply;
}

// Peak, as the other languages tell it; a call of process.memoryUsage() reads /proc each time.
const memoryUsedMb = () => Math.round(process.resourceUsage().maxRSS / 10.24) / 100;

function badRequestReply(request, problem) {
  return jsonReply(request, problem.status,
    toJson({ error: problem.code, message: problem.message }));
}

// ---- metrics and logs ---------------------------------------------------------------------

const labelText = (value) => String(value)
  .replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');

const metrics = {
  reset() {
    this.invocations = { success: 0, error: 0 };
    this.errors = {};
    this.buckets = new Array(BUCKETS.length + 1).fill(0);
    this.seconds = 0;
    this.coldStarts = 0;
  },

  count(status, seconds, errorType) {
    this.invocations[status] = (this.invocations[status] || 0) + 1;
    const index = BUCKETS.findIndex((bound) => seconds <= bound);
    this.buckets[index < 0 ? BUCKETS.length : index] += 1;
    this.seconds += seconds;
    if (errorType) this.errors[errorType] = (this.errors[errorType] || 0) + 1;
  },

  // True for the first caller only.
  takeColdStart() {
    if (this.coldStarts > 0) return false;
    this.coldStarts = 1;
    return true;
  },

  text() {
    const name = 'knative_lambda_function_';
    const labels = `function="${labelText(settings.functionName)}",`
      + `namespace="${labelText(settings.namespace)}"`;
    const lines = [`# HELP ${name}invocations_total Invocations by outcome.`,
      `# TYPE ${name}invocations_total counter`];
    for (const [status, count] of Object.entries(this.invocations)) {
      lines.push(`${name}invocations_total{${labels},status="${status}"} ${count}`);
    }
    lines.push(`# HELP ${name}errors_total Failed invocations by error type.`,
      `# TYPE ${name}errors_total counter`);
    for (const [type, count] of Object.entries(this.errors)) {
      lines.push(`${name}errors_total{${labels},error_type="${labelText(type)}"} ${count}`);
    }
    lines.push(...this.durationLines(`${name}duration_seconds`, labels));
    lines.push(`# HELP ${name}cold_starts_total Cold starts of this instance.`,
      `# TYPE ${name}cold_starts_total counter`,
      `${name}cold_starts_total{${labels}} ${this.coldStarts}`);
    return lines.join('\n') + '\n';
  },

  durationLines(name, labels) {
    const lines = [`# HELP ${name} Time spent in the handler.`, `# TYPE ${name} histogram`];
    let total = 0;
    [...BUCKETS, '+Inf'].forEach((bound, index) => {
      total += this.buckets[index];
      lines.push(`${name}_bucket{${labels},le="${bound}"} ${total}`);
    });
    lines.push(`${name}_sum{${labels}} ${this.seconds}`, `${name}_count{${labels}} ${total}`);
    return lines;
  },
};

metrics.reset();

const sum = (counts) => Object.values(counts).reduce((total, count) => total + count, 0);

function logLine(level, message, extras) {
  const line = {
    level,
    ts: new Date().toISOString(),
    function: settings.functionName,
    namespace: settings.namespace,
    msg: message,
    ...extras,
  };
  return JSON.stringify(line) + '\n';
}

const log = (level, message, extras) => process.stdout.write(logLine(level, message, extras));

function logRequest(level, message, request, extras) {
  const { traceId, spanId } = request.trace || {};
  log(level, message,
    { correlation_id: request.correlationId, trace_id: traceId, span_id: spanId, ...extras });
}

// ---- the handler --------------------------------------------------------------------------

// Where the handler is, or what is reported while it isn't.
const loaded = {
  reset() {
    this.handler = null;
    this.failure = {
      error: 'NotLoaded', message: 'the handler is being loaded', traceback: '',
    };
  },
};

loaded.reset();

// An error that says by its name that the function itself, not its run, is wrong.
class ImportError extends Error {
  constructor(message) {
    super(message);
    this.name = 'ImportError';
  }
}

// Anything can be thrown, also what isn't an Error.
function describe(thrown) {
  if (!(thrown instanceof Error)) {
    return { code: 'Error', message: String(thrown), stack: String(thrown) };
  }
  return {
    code: thrown.name || thrown.constructor.name,
    message: thrown.message,
    stack: thrown.stack || String(thrown),
  };
}

// "module.function"; a bare function name means that function of index.
function splitHandler(name) {
  const dot = name.lastIndexOf('.');
  return dot < 0 ? ['index', name] : [name.slice(0, dot), name.slice(dot + 1)];
}

function findModule(name) {
  const base = path.resolve(settings.directory, name);
  for (const extension of ['.js', '.mjs', '.cjs']) {
    if (fs.existsSync(base + extension)) return base + extension;
  }
  const found = fs.readdirSync(settings.directory)
    .filter((file) => /\.[mc]?js$/.test(file) && file !== 'runtime.js');
  throw new ImportError(`no module '${name}' (.js, .mjs or .cjs) in ${settings.directory}; `
    + `files found: ${found.join(', ') || 'none'}`);
}

const importFile = (file) => import(requireModule('node:url').pathToFileURL(file).href);

async function loadModule(file) {
  if (file.endsWith('.mjs')) return importFile(file);
  try {
    return requireModule(file);
  } catch (error) {
    if (error.code === 'ERR_REQUIRE_ESM') return importFile(file);
    if (!isModuleSyntaxError(error)) throw error;
    detectModuleSyntax();
    return importFile(file);
  }
}

// Messages of the engine for `import` and `export` in a file taken for CommonJS.
const isModuleSyntaxError = (error) => error instanceof SyntaxError
  && /^(Cannot use import statement|Unexpected token 'export'|await is only valid)/
    .test(error.message);

// Lets .js files without a package.json be ES modules, as later versions of Node.js do by
// themselves: an inline function is often nothing but a file with `export`.
function detectModuleSyntax() {
  const source = `
    import { readFile } from 'node:fs/promises';
    import { fileURLToPath } from 'node:url';
    export async function load(url, context, next) {
      const candidate = url.startsWith('file:') && url.endsWith('.js')
        && !url.includes('/node_modules/');
      if (!candidate) return next(url, context);
      const text = await readFile(fileURLToPath(url), 'utf8');
      const format = /^\\s*(import\\b|export\\b)/m.test(text) ? 'module' : context.format;
      return next(url, { ...context, format });
    }`;
  requireModule('node:module').register('data:text/javascript,' + encodeURIComponent(source));
}

const callables = (exported) => Object.keys(exported)
  .filter((name) => typeof exported[name] === 'function');

function pickHandler(exported, moduleName, name) {
  const inner = exported?.default;
  for (const candidate of [exported?.[name], inner?.[name]]) {
    if (typeof candidate === 'function') return candidate;
  }
  // `module.exports = function` and `export default function` have no name of their own.
  if (name === 'handler') {
    const whole = [exported, inner].find((candidate) => typeof candidate === 'function');
    if (whole) return whole;
  }
  const found = [...callables(exported ?? {}), ...callables(inner ?? {})];
  throw new ImportError(`module '${moduleName}' has no function '${name}'; `
    + `callables found: ${[...new Set(found)].join(', ') || 'none'}`);
}

// The older (event, context, callback) form as a promise.
function promisified(handler) {
  if (handler.length < 3) return handler;
  return (event, context) => new Promise((resolve, reject) => {
    const result = handler(event, context,
      (error, value) => (error ? reject(error) : resolve(value)));
    if (typeof result?.then === 'function') result.then(resolve, reject);
  });
}

// True when the handler is there; else loaded.failure says why not.
async function load() {
  try {
    const [moduleName, name] = splitHandler(settings.handler);
    const exported = await loadModule(findModule(moduleName));
    loaded.handler = promisified(pickHandler(exported, moduleName, name));
    loaded.failure = null;
    log('info', 'Handler loaded successfully', { handler: settings.handler });
    return true;
  } catch (thrown) {
    const { code, message, stack } = describe(thrown);
    loaded.failure = { error: code, message, traceback: stack };
    log('error', 'Handler failed to load',
      { error_type: code, error_message: message, stack, handler: settings.handler });
    return false;
  }
}

// ---- invocation ---------------------------------------------------------------------------

// Running invocations in the order of their start. All have the same limit, so the first is
// always the next to be due, and one timer is enough.
const running = new Set();
let watch = null;

function stopWatching() {
  clearTimeout(watch);
  watch = null;
}

function watchFirst() {
  const first = running.values().next().value;
  if (first === undefined) {
    watch = null;
    return;
  }
  const wait = Math.max(0, first.started + settings.timeoutMs - performance.now());
  watch = setTimeout(expireFirst, Math.min(Math.ceil(wait), TIMER_MS_MAX));
  watch.unref();
}

function expireFirst() {
  for (const invocation of running) {
    if (performance.now() - invocation.started < settings.timeoutMs) break;
    running.delete(invocation);
    invocation.timeOut();
  }
  watchFirst();
}

function startWatching(invocation) {
  running.add(invocation);
  if (watch === null) watchFirst();
}

// Ends with a reply, by the handler or by the time limit, whichever is first.
function invoke(request, data) {
  request.cold = metrics.takeColdStart();
  if (settings.debug) logStart(request);
  return new Promise((resolve) => {
    const invocation = { started: performance.now(), timedOut: false, timeOut: null };
    invocation.timeOut = () => {
      invocation.timedOut = true;
      resolve(timeoutReply(request, invocation.started));
    };
    startWatching(invocation);
    runHandler(request, data, invocation, resolve);
  });
}

async function runHandler(request, data, invocation, resolve) {
  let reply;
  try {
    const result = await loaded.handler(data, makeContext(request));
    running.delete(invocation);
    if (invocation.timedOut) return; // answered already
    const durationMs = performance.now() - invocation.started;
    reply = successReply(request, result, durationMs);
    metrics.count('success', durationMs / 1000);
  } catch (thrown) {
    running.delete(invocation);
    if (invocation.timedOut) return;
    reply = errorReply(request, thrown, performance.now() - invocation.started);
  }
  if (settings.debug) {
    const duration = performance.now() - invocation.started;
    logRequest('debug', 'Invocation completed', request,
      { status: reply.status, duration_ms: duration });
  }
  resolve(marked(request, reply));
}

function errorReply(request, thrown, durationMs) {
  const failure = describe(thrown);
  failure.retryable = !NOT_RETRYABLE.has(failure.code);
  metrics.count('error', durationMs / 1000, failure.code);
  logRequest('error', 'Invocation failed', request,
    { error_type: failure.code, error_message: failure.message, stack: failure.stack });
  return failureReply(request, 500, failure, durationMs);
}

function timeoutReply(request, started) {
  const durationMs = performance.now() - started;
  const message = `the handler did not finish within ${settings.timeoutMs / 1000} s`;
  metrics.count('timeout', durationMs / 1000, 'TimeoutError');
  logRequest('error', 'Invocation failed', request,
    { error_type: 'TimeoutError', error_message: message, stack: '' });
  const reply = marked(request, failureReply(request, 504,
    { code: 'TimeoutError', message, retryable: true }, durationMs));
  reply.afterwards = () => control.report({ type: 'timeout' });
  return reply;
}

function marked(request, reply) {
  if (request.cold) reply.head.push(['x-hearth-cold', 'true']);
  return reply;
}

function logStart(request) {
  const event = request.event || {};
  logRequest('debug', 'Invocation started', request, {
    event_id: event.id,
    event_type: event.type,
    event_source: event.source,
    cold_start: request.cold,
  });
}

// ---- routes -------------------------------------------------------------------------------

function health(request) {
  return jsonReply(request, 200, toJson({
    status: 'healthy',
    function: settings.functionName,
    namespace: settings.namespace,
    invocations: sum(metrics.invocations),
    errors: sum(metrics.errors),
  }));
}

function readiness(request) {
  if (loaded.failure === null) return health(request);
  return jsonReply(request, 503, toJson({ status: 'not ready', ...loaded.failure }));
}

function metricsPage(request) {
  return {
    status: 200,
    head: [['content-type', 'text/plain; version=0.0.4; charset=utf-8'],
      correlationHeader(request)],
    body: Buffer.from(metrics.text()),
  };
}

const routes = new Map([['/health', health], ['/healthz', health], ['/readyz', readiness],
  ['/metrics', metricsPage]]);

function respond(request) {
  const route = routes.get(request.path);
  if (route && (request.method === 'GET' || request.method === 'HEAD')) return route(request);
  try {
    const data = readEvent(request);
    if (loaded.handler) return invoke(request, data);
  } catch (problem) {
    if (problem instanceof BadRequest) return badRequestReply(request, problem);
    throw problem;
  }
  const { error, message, traceback } = loaded.failure;
  return failureReply(request, 503,
    { code: error, message, stack: traceback, retryable: false }, 0);
}

function bodyTooLarge() {
  return new BadRequest(413, 'body_too_large',
    `the body is larger than ${settings.bodyBytesMax} bytes`);
}

// ---- framed connections -------------------------------------------------------------------

let stopping = false;
const connections = new Set();

// Frames: u32 length, u8 type, u8 flags, u16 zero, then the payload. One exchange at a time.
class FramedConnection {
  constructor(socket) {
    this.socket = socket;
    this.buffer = NO_BODY;
    this.request = null;
    this.parts = [];
    this.size = 0;
    this.busy = false;
    connections.add(this);
    socket.on('data', (chunk) => this.receive(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.closed());
  }

  closed() {
    connections.delete(this);
    endWhenDrained();
  }

  get idle() {
    return !this.busy && this.request === null && this.buffer.length === 0;
  }

  receive(chunk) {
    this.buffer = this.buffer.length ? Buffer.concat([this.buffer, chunk]) : chunk;
    while (!this.busy && !this.socket.destroyed && this.takeFrame());
  }

  // False when the buffer holds no whole frame.
  takeFrame() {
    const { buffer } = this;
    if (buffer.length < FRAME_HEADER_BYTES) return false;
    const length = buffer.readUInt32LE(0);
    const expected = this.request === null ? FRAME_HEAD : FRAME_DATA;
    if (length > FRAME_BYTES_MAX || buffer[4] !== expected || buffer.readUInt16LE(6) !== 0) {
      this.socket.destroy();
      return false;
    }
    const end = FRAME_HEADER_BYTES + length;
    if (buffer.length < end) return false;
    this.buffer = buffer.length === end ? NO_BODY : buffer.subarray(end);
    this.take(buffer.subarray(FRAME_HEADER_BYTES, end), (buffer[5] & FRAME_END) !== 0);
    return true;
  }

  take(payload, ended) {
    if (this.request === null) {
      this.request = readHead(payload);
      if (this.request === null) {
        this.socket.destroy();
        return;
      }
    } else {
      this.size += payload.length;
      if (this.size > settings.bodyBytesMax) {
        this.refuse(bodyTooLarge());
        return;
      }
      this.parts.push(payload);
    }
    if (ended) this.answer();
  }

  // What is left of the body isn't read, so the connection can't be used again.
  refuse(problem) {
    const { request } = this;
    this.busy = true;
    this.socket.pause();
    this.socket.write(encodeReply(request.method, badRequestReply(request, problem)));
    this.socket.destroySoon();
  }

  async answer() {
    const { request, parts } = this;
    this.busy = true;
    request.body = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    this.parts = [];
    this.size = 0;
    this.request = null;
    const reply = await respond(request);
    if (!this.socket.destroyed) this.socket.write(encodeReply(request.method, reply));
    reply.afterwards?.();
    this.busy = false;
    if (stopping) this.socket.destroySoon();
    else if (this.buffer.length > 0) this.receive(NO_BODY);
  }
}

function readHead(payload) {
  const lines = payload.toString('utf8').split('\n');
  const space = lines[0].indexOf(' ');
  if (space < 0 || lines.pop() !== '') return null;
  const headers = {};
  for (let index = 1; index < lines.length; index += 1) {
    const line = lines[index];
    const colon = line.indexOf(':');
    if (colon < 0) return null;
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    const separator = name === 'cookie' ? '; ' : ', ';
    headers[name] = name in headers ? headers[name] + separator + value : value;
  }
  return new Request(lines[0].slice(0, space), lines[0].slice(space + 1), headers, NO_BODY);
}

// Head and body in one buffer, so that they leave in one system call.
function encodeReply(method, { status, head, body }) {
  let text = `${status}\n`;
  for (const [name, value] of head) text += `${name}: ${value}\n`;
  text += `content-length: ${body.length}\n`;
  const headBytes = Buffer.byteLength(text);
  const sent = method === 'HEAD' ? NO_BODY : body;
  const frames = Math.ceil(sent.length / DATA_BYTES_MAX);
  const output = Buffer.allocUnsafe(
    (frames + 1) * FRAME_HEADER_BYTES + headBytes + sent.length);
  let position = writeFrame(output, 0, headBytes, FRAME_HEAD, frames === 0);
  position += output.write(text, position);
  for (let offset = 0; offset < sent.length; offset += DATA_BYTES_MAX) {
    const end = Math.min(offset + DATA_BYTES_MAX, sent.length);
    position = writeFrame(output, position, end - offset, FRAME_DATA, end === sent.length);
    position += sent.copy(output, position, offset, end);
  }
  return output;
}

function writeFrame(output, position, length, kind, last) {
  output.writeUInt32LE(length, position);
  output[position + 4] = kind;
  output[position + 5] = last ? FRAME_END : 0;
  output.writeUInt16LE(0, position + 6);
  return position + FRAME_HEADER_BYTES;
}

// ---- HTTP ---------------------------------------------------------------------------------

function readHttpBody(incoming) {
  return new Promise((resolve, reject) => {
    const parts = [];
    let size = 0;
    if (Number(incoming.headers['content-length']) > settings.bodyBytesMax) {
      reject(bodyTooLarge());
      return;
    }
    incoming.on('data', (part) => {
      size += part.length;
      if (size <= settings.bodyBytesMax) {
        parts.push(part);
      } else {
        parts.length = 0;
        reject(bodyTooLarge());
      }
    });
    incoming.on('end', () => resolve(parts.length === 1 ? parts[0] : Buffer.concat(parts)));
    incoming.on('error', reject);
  });
}

function requestPath(target) {
  const absolute = /^[a-z]+:\/\/[^/]*(.*)$/i.exec(target); // proxies may send an absolute URL
  return absolute ? absolute[1] || '/' : target;
}

async function serveHttp(incoming, outgoing) {
  const request = new Request(incoming.method, requestPath(incoming.url), incoming.headers,
    NO_BODY);
  let reply;
  try {
    request.body = await readHttpBody(incoming);
    reply = await respond(request);
  } catch (problem) {
    if (!(problem instanceof BadRequest)) {
      outgoing.destroy(); // the client went away in the middle of its body
      return;
    }
    refuseHttp(incoming, outgoing, badRequestReply(request, problem));
    return;
  }
  sendHttp(outgoing, reply);
}

// RFC 9112 §9.6: to close while the client still sends resets the connection, and the reset may
// destroy the reply before the client has read it. So what it sends is read, for a while.
function refuseHttp(incoming, outgoing, reply) {
  outgoing.shouldKeepAlive = false;
  if (incoming.complete) {
    sendHttp(outgoing, reply);
    return;
  }
  startHttp(outgoing, reply);
  outgoing.write(reply.body);
  const timer = setTimeout(() => outgoing.end(), LINGER_MS);
  timer.unref();
  incoming.on('end', () => {
    clearTimeout(timer);
    outgoing.end();
  });
  incoming.resume();
}

function sendHttp(outgoing, reply) {
  if (stopping) outgoing.shouldKeepAlive = false;
  startHttp(outgoing, reply);
  outgoing.end(reply.body);
  reply.afterwards?.();
}

function startHttp(outgoing, { status, head, body }) {
  const flat = head.flatMap(([name, value]) => [name, Buffer.from(value).toString('latin1')]);
  if (status !== 204 && status !== 304) flat.push('content-length', String(body.length));
  outgoing.writeHead(status, flat);
}

// ---- started ahead ------------------------------------------------------------------------

// A host may start this process before there is a function for it. Its order, with the rest of the
// environment, comes on a pipe then, when the function's files are in place. Nothing else can be
// done meanwhile, so the process stands still.
function takeOrder() {
  const order = JSON.parse(fs.readFileSync(settings.orderFd, 'utf8'));
  fs.closeSync(settings.orderFd);
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, order.env);
  process.chdir(order.cwd);
  process.argv[1] = path.join(order.cwd, 'runtime.js');
  readSettings(process.env);
}

// Most of a first request's time is the first use of what serves it: code that is compiled,
// modules of Node.js that are loaded. So a function of no use is loaded and called, while nobody
// waits, and then forgotten.
async function rehearse() {
  const folder = fs.mkdtempSync(path.join(requireModule('node:os').tmpdir(), 'rehearsal-'));
  try {
    const file = path.join(folder, 'index.js');
    fs.writeFileSync(file, 'exports.handler = async (event) => ({ hello: event.name });\n');
    settings.directory = folder;
    loaded.handler = promisified(pickHandler(await loadModule(findModule('index')), 'index',
      'handler'));
    delete requireModule.cache[file];
    await rehearseRequest(path.join(folder, 'socket'));
    logLine('info', 'rehearsal');
    new Date().toString(); // finding out the time zone may take reading all that there are
    process.stdout.write('');
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
    stopWatching();
    metrics.reset();
    loaded.reset();
  }
}

function rehearseRequest(address) {
  return new Promise((resolve, reject) => {
    const rehearsal = net.createServer({ noDelay: true }, (socket) => new FramedConnection(socket));
    rehearsal.on('error', reject);
    rehearsal.listen(address, () => {
      const client = net.connect(address, () => client.write(encodeRequest()));
      client.on('error', reject);
      client.on('data', () => client.destroy());
      client.on('close', () => rehearsal.close(resolve));
    });
  });
}

function encodeRequest() {
  const body = Buffer.from('{"name":"rehearsal"}');
  const head = Buffer.from('POST /\ncontent-type: application/json\n');
  const output = Buffer.alloc(2 * FRAME_HEADER_BYTES + head.length + body.length);
  let position = writeFrame(output, 0, head.length, FRAME_HEAD, false);
  position += head.copy(output, position);
  position = writeFrame(output, position, body.length, FRAME_DATA, true);
  body.copy(output, position);
  return output;
}

// ---- the process --------------------------------------------------------------------------

// The control socket to the host; without one, reports go nowhere.
const control = {
  socket: null,

  open(fd) {
    this.socket = new net.Socket({ fd: Number(fd), readable: true, writable: true });
    const hostIsGone = () => process.exit(1);
    this.socket.on('end', hostIsGone).on('close', hostIsGone).on('error', hostIsGone);
    this.socket.resume();
  },

  report(message, written) {
    if (this.socket) this.socket.write(JSON.stringify(message) + '\n', written);
  },
};

let server = null;

function stop() {
  if (server === null) process.exit(0); // still loading: no request is running
  if (stopping) return;
  stopping = true;
  server.close(() => process.exit(0));
  server.closeIdleConnections?.();
  // Two turns of the loop later, so that a request which has arrived already is still read.
  setImmediate(() => setImmediate(closeIdleConnections));
  setTimeout(() => process.exit(0), settings.graceMs);
}

function closeIdleConnections() {
  for (const connection of connections) {
    if (connection.idle) connection.socket.destroy();
  }
}

function endWhenDrained() {
  if (stopping && connections.size === 0) process.exit(0);
}

// Without a place to listen at nobody will ever reach the function: the host starts another one.
function onListenError(problem) {
  const { code, message, stack } = describe(problem);
  log('error', 'Cannot listen', { error_type: code, error_message: message, stack });
  control.report({ type: 'failed', error: code, message, traceback: '' }, () => process.exit(1));
  if (!control.socket) process.exit(1);
}

function listen() {
  if (settings.socketFd) {
    server = net.createServer({ noDelay: true }, (socket) => new FramedConnection(socket));
    server.on('error', onListenError);
    server.listen({ fd: Number(settings.socketFd) }, () => control.report({ type: 'ready' }));
    return;
  }
  server = requireModule('node:http').createServer(
    { maxHeaderSize: HEAD_BYTES_MAX, keepAliveTimeout: IDLE_MS_MAX, noDelay: true }, serveHttp);
  server.on('error', onListenError);
  server.listen(settings.port, '0.0.0.0', () => control.report({ type: 'ready' }));
}

// A promise that nobody awaits or a throwing timer of the function: tell it, and go on serving,
// for the requests that run beside it did nothing wrong.
function onStrayError(thrown) {
  const { code, message, stack } = describe(thrown);
  log('error', 'Uncaught error outside of an invocation',
    { error_type: code, error_message: message, stack });
}

async function main() {
  // Explicitly, because the kernel ignores a signal without a handler for process 1.
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  readSettings(process.env);
  if (settings.controlFd) control.open(settings.controlFd);
  if (settings.orderFd) {
    settings.orderFd = Number(settings.orderFd);
    await rehearse();
    takeOrder();
  }
  log('info', 'Lambda runtime started',
    { language: 'nodejs', version: process.versions.node, handler: settings.handler });
  const isLoaded = await load();
  process.on('uncaughtException', onStrayError);
  process.on('unhandledRejection', onStrayError);
  if (!isLoaded && control.socket) {
    control.report({ type: 'failed', ...loaded.failure }, () => process.exit(1));
    return;
  }
  listen();
}

main();
