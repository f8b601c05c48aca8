// Serves one Go function, compiled in beside it: the function's own files are in package main too
// and bring no main().
//
// The same program runs in two places. In a container it is an HTTP/1.1 server on PORT. On a
// laptop it inherits a listening Unix socket (HEARTH_SOCKET_FD) and speaks a framed protocol on
// it, and a control socket (HEARTH_CONTROL_FD) on which it tells "ready", "failed" and "timeout".
//
// Go 1.19, which Debian 12 has, must compile it.
//
// All identifiers begin with hearth, so that they can't clash with the function's.
package main

// Imports have names of our own too: the name of an imported package and a function's own
// package-level identifier (debug, url, signal, ...) would clash.
import (
	hearthbufio "bufio"
	hearthbytes "bytes"
	hearthcontext "context"
	hearthrand "crypto/rand"
	hearthbase64 "encoding/base64"
	hearthbinary "encoding/binary"
	hearthjson "encoding/json"
	heartherrors "errors"
	hearthfmt "fmt"
	hearthio "io"
	hearthnet "net"
	hearthhttp "net/http"
	hearthurl "net/url"
	hearthos "os"
	hearthsignal "os/signal"
	hearthregexp "regexp"
	hearthruntime "runtime"
	hearthdebug "runtime/debug"
	hearthsort "sort"
	hearthstrconv "strconv"
	hearthstrings "strings"
	hearthsync "sync"
	hearthatomic "sync/atomic"
	hearthsyscall "syscall"
	hearthtime "time"
	hearthutf8 "unicode/utf8"
)

const (
	hearthFrameHeaderBytes = 8
	hearthFrameHead        = 1
	hearthFrameData        = 2
	hearthFrameEnd         = 1
	hearthFrameBytesMax    = 1 << 20
	hearthDataBytesMax     = 1 << 16
	hearthHeadBytesMax     = 1 << 16
	// Longer than the 90 s after which Go's clients (the usual callers) drop an idle connection.
	hearthIdleMax    = 120 * hearthtime.Second
	hearthHeadTime   = 30 * hearthtime.Second
	hearthTimeLayout = "2006-01-02T15:04:05.000Z"
)

var (
	hearthBuckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
	hearthTrace   = hearthregexp.MustCompile(
		`^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$`)
	// The transport decides these; a handler that copies them must not break framing.
	hearthTransportHeaders = map[string]bool{"content-length": true, "transfer-encoding": true,
		"connection": true, "keep-alive": true}
	hearthRequired = []string{"specversion", "id", "source", "type"}
)

// ---- settings -----------------------------------------------------------------------------

type hearthSettingsType struct {
	function, namespace, handler string
	timeout, grace               hearthtime.Duration
	bodyBytesMax                 int64
	port                         string
	bare, development, debug     bool
	socketFd, controlFd          string
}

var hearthSettings = hearthReadSettings()

func hearthEnv(fallback string, names ...string) string {
	for _, name := range names {
		if value := hearthos.Getenv(name); value != "" {
			return value
		}
	}
	return fallback
}

func hearthSeconds(name string, fallback float64) hearthtime.Duration {
	seconds, err := hearthstrconv.ParseFloat(hearthos.Getenv(name), 64)
	if err != nil {
		seconds = fallback
	}
	return hearthtime.Duration(seconds * float64(hearthtime.Second))
}

func hearthReadSettings() hearthSettingsType {
	limit, err := hearthstrconv.ParseInt(hearthos.Getenv("MAX_BODY_BYTES"), 10, 64)
	if err != nil {
		limit = 10 << 20
	}
	return hearthSettingsType{
		function:     hearthEnv("function", "FUNCTION_NAME", "K_SERVICE"),
		namespace:    hearthEnv("knative-lambda", "FUNCTION_NAMESPACE", "NAMESPACE"),
		handler:      hearthEnv("main.Handler", "HANDLER"),
		timeout:      hearthSeconds("TIMEOUT_SECONDS", 300),
		grace:        hearthSeconds("SHUTDOWN_GRACE_SECONDS", 30),
		bodyBytesMax: limit,
		port:         hearthEnv("8080", "PORT"),
		bare:         hearthos.Getenv("HEARTH_REPLY") == "bare",
		development:  hearthos.Getenv("HEARTH_DEV") == "1",
		debug:        hearthstrings.EqualFold(hearthos.Getenv("LOG_LEVEL"), "debug"),
		socketFd:     hearthos.Getenv("HEARTH_SOCKET_FD"),
		controlFd:    hearthos.Getenv("HEARTH_CONTROL_FD"),
	}
}

// ---- identifiers --------------------------------------------------------------------------

func hearthNewID() string {
	var raw [16]byte
	hearthrand.Read(raw[:])
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	return hearthfmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:])
}

func hearthEventByte(one byte) bool {
	return one > 0x20 && one < 0x7f && one != '"' && one != '%'
}

func hearthPrintable(one byte) bool { return one >= 0x20 && one < 0x7f }

func hearthEscape(text string, allowed func(byte) bool) string {
	var escaped hearthstrings.Builder
	for index := 0; index < len(text); index++ {
		if allowed(text[index]) {
			escaped.WriteByte(text[index])
		} else {
			hearthfmt.Fprintf(&escaped, "%%%02X", text[index])
		}
	}
	return escaped.String()
}

// hearthEventHeader is a CloudEvent attribute as a header value.
func hearthEventHeader(value any) string {
	return hearthEscape(hearthfmt.Sprint(value), hearthEventByte)
}

// hearthEventText is the opposite. A stray percent sign is no reason to refuse an event.
func hearthEventText(value string) string {
	if text, err := hearthurl.PathUnescape(value); err == nil {
		return text
	}
	return value
}

// hearthHeaderText makes an identifier that came from outside safe to echo in a header.
func hearthHeaderText(value string) string {
	for index := 0; index < len(value); index++ {
		if !hearthPrintable(value[index]) {
			return hearthEventHeader(value)
		}
	}
	return value
}

// ---- requests and events ------------------------------------------------------------------

type hearthRequest struct {
	method, path, query string
	headers             map[string]string
	body                []byte
	event               map[string]any // attributes, when the request is a CloudEvent
	cold                bool
	started             hearthtime.Time
	correlation, id     string
	traceRead           bool
	traceID, spanID     string
	traceFlags          string
	parent              hearthcontext.Context
}

func hearthNewRequest(method, target string, headers map[string]string) *hearthRequest {
	path, query, _ := hearthstrings.Cut(target, "?")
	return &hearthRequest{method: method, path: path, query: query, headers: headers,
		parent: hearthcontext.Background()}
}

func (request *hearthRequest) eventID() string {
	if request.event != nil {
		return request.event["id"].(string)
	}
	return hearthEventText(request.headers["ce-id"])
}

func (request *hearthRequest) correlationID() string {
	if request.correlation == "" {
		request.correlation = request.headers["x-correlation-id"]
	}
	if request.correlation == "" {
		request.correlation = request.eventID()
	}
	if request.correlation == "" {
		request.correlation = hearthNewID()
	}
	return request.correlation
}

func (request *hearthRequest) invocationID() string {
	if request.id == "" {
		request.id = request.eventID()
	}
	if request.id == "" {
		request.id = hearthNewID()
	}
	return request.id
}

func (request *hearthRequest) traceparent() string {
	if given := request.headers["traceparent"]; given != "" {
		return given
	}
	given, _ := request.event["traceparent"].(string)
	return given
}

// trace reads the caller's trace and gives this invocation a span of it.
func (request *hearthRequest) trace() bool {
	if !request.traceRead {
		request.traceRead = true
		match := hearthTrace.FindStringSubmatch(request.traceparent())
		if match != nil && match[0][:2] != "ff" && hearthstrings.Trim(match[1], "0") != "" &&
			hearthstrings.Trim(match[2], "0") != "" {
			var span [8]byte
			hearthrand.Read(span[:])
			request.traceID, request.spanID = match[1], hearthfmt.Sprintf("%x", span)
			request.traceFlags = match[3]
		}
	}
	return request.traceID != ""
}

// hearthContext is what hearthFromContext finds in the context of a handler.
type hearthContext struct {
	FunctionName, Namespace     string
	InvocationID, CorrelationID string
	DeadlineMs                  int64
	Event                       map[string]any
	Headers                     map[string]string
	Method, Path                string
	Query                       map[string]string
	Traceparent                 string
	TraceID, SpanID             string
}

type hearthContextKey struct{}

// hearthFromContext tells a handler about its invocation; nil outside of one.
func hearthFromContext(ctx hearthcontext.Context) *hearthContext {
	found, _ := ctx.Value(hearthContextKey{}).(*hearthContext)
	return found
}

func hearthMakeContext(request *hearthRequest) (hearthcontext.Context, hearthcontext.CancelFunc) {
	deadline := request.started.Add(hearthSettings.timeout)
	request.trace()
	about := &hearthContext{
		FunctionName: hearthSettings.function, Namespace: hearthSettings.namespace,
		InvocationID: request.invocationID(), CorrelationID: request.correlationID(),
		DeadlineMs: deadline.UnixMilli(), Event: request.event, Headers: request.headers,
		Method: request.method, Path: request.path, Query: map[string]string{},
		Traceparent: request.traceparent(), TraceID: request.traceID, SpanID: request.spanID,
	}
	if values, err := hearthurl.ParseQuery(request.query); err == nil {
		for name, list := range values {
			about.Query[name] = list[len(list)-1]
		}
	}
	valued := hearthcontext.WithValue(request.parent, hearthContextKey{}, about)
	return hearthcontext.WithDeadline(valued, deadline)
}

// hearthBadRequest is answered without calling the handler.
type hearthBadRequest struct {
	status        int
	code, message string
}

func (problem *hearthBadRequest) Error() string { return problem.message }

func hearthInvalidEvent(format string, arguments ...any) error {
	return &hearthBadRequest{400, "invalid_cloudevent", hearthfmt.Sprintf(format, arguments...)}
}

func hearthMediaType(contentType string) string {
	kind, _, _ := hearthstrings.Cut(contentType, ";")
	return hearthstrings.ToLower(hearthstrings.TrimSpace(kind))
}

func hearthIsJSON(kind string) bool {
	return hearthstrings.HasSuffix(kind, "/json") || hearthstrings.HasSuffix(kind, "+json")
}

func hearthIsText(kind string) bool {
	return hearthstrings.HasPrefix(kind, "text/") || kind == "application/x-www-form-urlencoded" ||
		hearthstrings.HasSuffix(kind, "xml") || hearthstrings.HasSuffix(kind, "yaml") ||
		hearthstrings.HasSuffix(kind, "javascript")
}

func hearthUntypedData(body []byte) any {
	var value any
	if hearthjson.Unmarshal(body, &value) == nil {
		return value
	}
	if hearthutf8.Valid(body) {
		return string(body)
	}
	return body
}

// hearthReadData is the value of a body.
func hearthReadData(body []byte, contentType, errorCode string) (any, error) {
	if len(body) == 0 {
		return nil, nil
	}
	kind := hearthMediaType(contentType)
	if hearthIsJSON(kind) {
		var value any
		if err := hearthjson.Unmarshal(body, &value); err != nil {
			return nil, &hearthBadRequest{400, errorCode, "data is not valid JSON: " + err.Error()}
		}
		return value, nil
	}
	// `curl -d '{...}'` sends the form type. A form has its braces percent-encoded, so a body
	// that begins with one isn't a form.
	form := kind == "application/x-www-form-urlencoded" && (body[0] == '{' || body[0] == '[')
	if kind == "" || form {
		return hearthUntypedData(body), nil
	}
	if hearthIsText(kind) {
		return string(body), nil
	}
	return body, nil
}

func hearthCheckAttributes(attributes map[string]any) error {
	for _, name := range hearthRequired {
		if value, ok := attributes[name].(string); !ok || value == "" {
			return hearthInvalidEvent("required attribute '%s' is missing or empty", name)
		}
	}
	if version := attributes["specversion"]; version != "1.0" {
		return hearthInvalidEvent(`attribute 'specversion' must be "1.0", not "%v"`, version)
	}
	return nil
}

func hearthReadBinaryEvent(request *hearthRequest) (any, error) {
	attributes := map[string]any{}
	for name, value := range request.headers {
		if hearthstrings.HasPrefix(name, "ce-") {
			attributes[name[3:]] = hearthEventText(value)
		}
	}
	contentType := request.headers["content-type"]
	if contentType != "" {
		attributes["datacontenttype"] = contentType
	}
	if err := hearthCheckAttributes(attributes); err != nil {
		return nil, err
	}
	request.event = attributes
	return hearthReadData(request.body, contentType, "invalid_cloudevent")
}

func hearthReadStructuredEvent(request *hearthRequest) (any, error) {
	var event map[string]any
	if err := hearthjson.Unmarshal(request.body, &event); err != nil {
		return nil, hearthInvalidEvent("the event is not a valid JSON object: %v", err)
	}
	if err := hearthCheckAttributes(event); err != nil {
		return nil, err
	}
	data, encoded := event["data"], event["data_base64"]
	delete(event, "data")
	delete(event, "data_base64")
	request.event = event
	if encoded == nil {
		return data, nil
	}
	if data != nil {
		return nil, hearthInvalidEvent("'data' and 'data_base64' exclude each other")
	}
	text, _ := encoded.(string)
	body, err := hearthbase64.StdEncoding.DecodeString(text)
	if err != nil || (text == "" && encoded != "") {
		return nil, hearthInvalidEvent("'data_base64' is not valid base64")
	}
	contentType, _ := event["datacontenttype"].(string)
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	return hearthReadData(body, contentType, "invalid_cloudevent")
}

// hearthReadEvent sets request.event when the request is a CloudEvent and returns the data.
func hearthReadEvent(request *hearthRequest) (map[string]any, error) {
	data, err := hearthReadAnyData(request)
	if err != nil {
		return nil, err
	}
	return hearthAsMap(data), nil
}

func hearthReadAnyData(request *hearthRequest) (any, error) {
	contentType := request.headers["content-type"]
	kind := hearthMediaType(contentType)
	if _, binary := request.headers["ce-specversion"]; binary {
		return hearthReadBinaryEvent(request)
	}
	if hearthstrings.HasPrefix(kind, "application/cloudevents-batch") {
		return nil, hearthInvalidEvent("batches of events are not supported, send them one by one")
	}
	if hearthstrings.HasPrefix(kind, "application/cloudevents") {
		return hearthReadStructuredEvent(request)
	}
	return hearthReadData(request.body, contentType, "invalid_json")
}

// hearthAsMap gives data that isn't an object a place in the map that a Handler takes.
func hearthAsMap(data any) map[string]any {
	switch value := data.(type) {
	case nil:
		return map[string]any{}
	case map[string]any:
		return value
	case []byte:
		return map[string]any{"data_base64": hearthbase64.StdEncoding.EncodeToString(value)}
	default:
		return map[string]any{"data": value}
	}
}

// ---- replies ------------------------------------------------------------------------------

type hearthHeader struct{ name, value string }

type hearthReply struct {
	status    int
	head      []hearthHeader
	body      []byte
	timedOut  bool
	lastReply bool // the connection can't be used again
}

func hearthToJSON(value any) ([]byte, error) {
	var buffer hearthbytes.Buffer
	encoder := hearthjson.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return hearthbytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

func hearthCorrelation(request *hearthRequest) hearthHeader {
	return hearthHeader{"x-correlation-id", hearthHeaderText(request.correlationID())}
}

// hearthJSONReply is for values of this file, which JSON can always say.
func hearthJSONReply(request *hearthRequest, status int, value any) *hearthReply {
	body, _ := hearthToJSON(value)
	return &hearthReply{status: status, body: body,
		head: []hearthHeader{{"content-type", "application/json"}, hearthCorrelation(request)}}
}

// hearthContent is (content type, bytes) of a value on its own.
func hearthContent(value any) (string, []byte, error) {
	switch typed := value.(type) {
	case string:
		return "text/plain; charset=utf-8", []byte(typed), nil
	case []byte:
		return "application/octet-stream", typed, nil
	}
	body, err := hearthToJSON(value)
	return "application/json", body, err
}

func hearthStatusCode(result map[string]any) (int, bool) {
	_, hasBody := result["body"]
	_, hasHeaders := result["headers"]
	status := 0
	switch value := result["statusCode"].(type) {
	case int:
		status = value
	case int64:
		status = int(value)
	case float64:
		if value == float64(int(value)) {
			status = int(value)
		}
	}
	return status, status >= 100 && status <= 599 && (hasBody || hasHeaders)
}

func hearthTokenName(name string) bool {
	for index := 0; index < len(name); index++ {
		one := name[index]
		if !hearthPrintable(one) || hearthstrings.IndexByte(" \"(),/:;<=>?@[\\]{}", one) >= 0 {
			return false
		}
	}
	return name != ""
}

// hearthAddHeader refuses line breaks: a value that a handler copied from its input must not add
// headers.
func hearthAddHeader(head []hearthHeader, name string, value any) ([]hearthHeader, error) {
	text := hearthfmt.Sprint(value)
	if !hearthTokenName(name) || hearthstrings.ContainsAny(text, "\r\n\x00") {
		return nil, hearthfmt.Errorf("reply header %q is not a valid header", name)
	}
	return append(head, hearthHeader{name, text}), nil
}

func hearthHeaderValues(value any) []any {
	switch typed := value.(type) {
	case []any:
		return typed
	case []string:
		values := make([]any, len(typed))
		for index, one := range typed {
			values[index] = one
		}
		return values
	}
	return []any{value}
}

func hearthHeaderGroup(value any) map[string]any {
	switch typed := value.(type) {
	case map[string]any:
		return typed
	case map[string]string:
		group := map[string]any{}
		for name, one := range typed {
			group[name] = one
		}
		return group
	case map[string][]string:
		group := map[string]any{}
		for name, list := range typed {
			group[name] = list
		}
		return group
	}
	return nil
}

func hearthUserHead(result map[string]any) (head []hearthHeader, err error) {
	for _, key := range []string{"headers", "multiValueHeaders"} {
		for name, value := range hearthHeaderGroup(result[key]) {
			name = hearthstrings.ToLower(name)
			if hearthTransportHeaders[name] {
				continue
			}
			for _, one := range hearthHeaderValues(value) {
				if head, err = hearthAddHeader(head, name, one); err != nil {
					return nil, err
				}
			}
		}
	}
	return head, nil
}

func hearthHas(head []hearthHeader, name string) bool {
	for _, header := range head {
		if header.name == name {
			return true
		}
	}
	return false
}

func hearthProxyReply(request *hearthRequest, status int,
	result map[string]any) (*hearthReply, error) {
	if status < 200 {
		return nil, hearthfmt.Errorf("statusCode %d can't end a reply", status)
	}
	value := result["body"]
	if value == nil {
		value = ""
	}
	if text, ok := value.(string); ok && result["isBase64Encoded"] == true {
		decoded, err := hearthbase64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, err
		}
		value = decoded
	}
	contentType, body, err := hearthContent(value)
	if err != nil {
		return nil, err
	}
	head, err := hearthUserHead(result)
	if err != nil {
		return nil, err
	}
	if len(body) > 0 && !hearthHas(head, "content-type") {
		head = append(head, hearthHeader{"content-type", contentType})
	}
	if !hearthHas(head, "x-correlation-id") {
		head = append(head, hearthCorrelation(request))
	}
	return &hearthReply{status: status, head: head, body: body}, nil
}

func hearthBareReply(request *hearthRequest, result any) (*hearthReply, error) {
	if object, ok := result.(map[string]any); ok {
		if status, proxy := hearthStatusCode(object); proxy {
			return hearthProxyReply(request, status, object)
		}
	}
	if result == nil && request.event != nil {
		// A body that isn't an event would make a broker treat the delivery as failed.
		return &hearthReply{status: 204, head: []hearthHeader{hearthCorrelation(request)}}, nil
	}
	contentType, body, err := hearthContent(result)
	if err != nil {
		return nil, err
	}
	head := []hearthHeader{{"content-type", contentType}, hearthCorrelation(request)}
	return &hearthReply{status: 200, head: head, body: body}, nil
}

// hearthTraceHead continues the caller's trace with this invocation as the parent.
func hearthTraceHead(request *hearthRequest) []hearthHeader {
	if !request.trace() {
		return nil
	}
	value := "00-" + request.traceID + "-" + request.spanID + "-" + request.traceFlags
	return []hearthHeader{{"traceparent", value}, {"ce-traceparent", value}}
}

func hearthIsEvent(result any) (map[string]any, bool) {
	object, ok := result.(map[string]any)
	if !ok {
		return nil, false
	}
	for _, name := range []string{"specversion", "type", "source"} {
		if _, has := object[name]; !has {
			return nil, false
		}
	}
	return object, true
}

// hearthReturnedEventReply is for a handler that returned a CloudEvent of its own.
func hearthReturnedEventReply(request *hearthRequest,
	result map[string]any) (*hearthReply, error) {
	declared, _ := result["datacontenttype"].(string)
	contentType, body, err := hearthEventContent(result, declared)
	if err != nil {
		return nil, err
	}
	var head []hearthHeader
	for _, name := range hearthSortedKeys(result) {
		if name == "data" || name == "data_base64" || name == "datacontenttype" ||
			result[name] == nil {
			continue
		}
		value := hearthEventHeader(result[name])
		if head, err = hearthAddHeader(head, "ce-"+hearthstrings.ToLower(name), value); err != nil {
			return nil, err
		}
	}
	if !hearthHas(head, "ce-id") {
		head = append(head, hearthHeader{"ce-id", hearthNewID()})
	}
	if len(body) > 0 {
		if head, err = hearthAddHeader(head, "content-type", contentType); err != nil {
			return nil, err
		}
	}
	head = append(head, hearthCorrelation(request))
	if !hearthHas(head, "ce-traceparent") {
		head = append(head, hearthTraceHead(request)...)
	}
	return &hearthReply{status: 200, head: head, body: body}, nil
}

func hearthEventContent(event map[string]any, declared string) (string, []byte, error) {
	value := event["data"]
	if text, ok := event["data_base64"].(string); ok {
		decoded, err := hearthbase64.StdEncoding.DecodeString(text)
		if err != nil {
			return "", nil, err
		}
		value = decoded
	}
	if value == nil {
		return "", nil, nil
	}
	contentType, body, err := hearthContent(value)
	isJSON := declared == "" || hearthIsJSON(hearthMediaType(declared))
	if _, text := value.(string); text && isJSON {
		contentType = "application/json"
		body, err = hearthToJSON(value)
	}
	if declared != "" {
		contentType = declared
	}
	return contentType, body, err
}

func hearthSortedKeys(object map[string]any) []string {
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	hearthsort.Strings(keys)
	return keys
}

type hearthResult struct {
	StatusCode int `json:"statusCode"`
	Body       any `json:"body"`
}

type hearthFailure struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable"`
	Stack     string `json:"stack,omitempty"`
}

type hearthUsage struct {
	DurationMs   float64 `json:"durationMs"`
	ColdStart    bool    `json:"coldStart"`
	MemoryUsedMb float64 `json:"memoryUsedMb"`
}

type hearthEnvelope struct {
	FunctionName  string         `json:"functionName"`
	Namespace     string         `json:"namespace"`
	InvocationID  string         `json:"invocationId"`
	CorrelationID string         `json:"correlationId"`
	Result        *hearthResult  `json:"result,omitempty"`
	Error         *hearthFailure `json:"error,omitempty"`
	Metrics       hearthUsage    `json:"metrics"`
}

func hearthSuccessReply(request *hearthRequest, result any,
	duration hearthtime.Duration) (*hearthReply, error) {
	if request.event == nil {
		return hearthBareReply(request, result)
	}
	if event, ok := hearthIsEvent(result); ok {
		return hearthReturnedEventReply(request, event)
	}
	if hearthSettings.bare {
		return hearthBareReply(request, result)
	}
	// Encoded apart first: what JSON can't say is the handler's error, not the envelope's.
	if body, err := hearthToJSON(result); err != nil {
		return nil, err
	} else {
		result = hearthjson.RawMessage(body)
	}
	outcome := hearthEnvelope{Result: &hearthResult{200, result}}
	return hearthEnveloped(request, 200, "success", outcome, duration), nil
}

func hearthFailureReply(request *hearthRequest, status int, failure hearthFailure,
	duration hearthtime.Duration) *hearthReply {
	if !hearthSettings.development {
		failure.Stack = ""
	}
	if request.event == nil || hearthSettings.bare {
		return hearthJSONReply(request, status, map[string]any{"error": failure,
			"correlationId": request.correlationID()})
	}
	kind := "error"
	if status == 504 {
		kind = "timeout"
	}
	return hearthEnveloped(request, status, kind, hearthEnvelope{Error: &failure}, duration)
}

func hearthEnveloped(request *hearthRequest, status int, kind string, envelope hearthEnvelope,
	duration hearthtime.Duration) *hearthReply {
	envelope.FunctionName = hearthSettings.function
	envelope.Namespace = hearthSettings.namespace
	envelope.InvocationID = request.invocationID()
	envelope.CorrelationID = request.correlationID()
	envelope.Metrics = hearthUsage{float64(duration.Microseconds()) / 1000, request.cold,
		hearthMemoryMb()}
	reply := hearthJSONReply(request, status, envelope)
	subject := hearthEventHeader(hearthSettings.function)
	reply.head = append(reply.head,
		hearthHeader{"ce-specversion", "1.0"},
		hearthHeader{"ce-id", hearthNewID()},
		hearthHeader{"ce-type", "io.knative.lambda.response." + kind},
		hearthHeader{"ce-source", "io.knative.lambda/" + subject},
		hearthHeader{"ce-subject", subject},
		hearthHeader{"ce-time", hearthtime.Now().UTC().Format(hearthTimeLayout)},
		hearthHeader{"ce-correlationid", hearthEventHeader(envelope.CorrelationID)},
		hearthHeader{"ce-causationid", hearthEventHeader(envelope.InvocationID)})
	reply.head = append(reply.head, hearthTraceHead(request)...)
	return reply
}

// hearthMemoryMb is the peak resident size: runtime.ReadMemStats would stop the world each time.
func hearthMemoryMb() float64 {
	var usage hearthsyscall.Rusage
	hearthsyscall.Getrusage(hearthsyscall.RUSAGE_SELF, &usage)
	return float64(usage.Maxrss*100/1024) / 100
}

func hearthBadRequestReply(request *hearthRequest, problem *hearthBadRequest) *hearthReply {
	return hearthJSONReply(request, problem.status,
		map[string]any{"error": problem.code, "message": problem.message})
}

// ---- metrics and logs ---------------------------------------------------------------------

type hearthMetricsType struct {
	hearthsync.Mutex
	invocations map[string]int
	errors      map[string]int
	buckets     []int
	seconds     float64
	coldStarts  int
}

var hearthMetrics = hearthMetricsType{
	invocations: map[string]int{"success": 0, "error": 0},
	errors:      map[string]int{},
	buckets:     make([]int, len(hearthBuckets)+1),
}

func (metrics *hearthMetricsType) count(status string, duration hearthtime.Duration,
	errorType string) {
	seconds := duration.Seconds()
	metrics.Lock()
	defer metrics.Unlock()
	metrics.invocations[status]++
	metrics.buckets[hearthsort.SearchFloat64s(hearthBuckets, seconds)]++
	metrics.seconds += seconds
	if errorType != "" {
		metrics.errors[errorType]++
	}
}

// takeColdStart is true for the first caller only.
func (metrics *hearthMetricsType) takeColdStart() bool {
	metrics.Lock()
	defer metrics.Unlock()
	first := metrics.coldStarts == 0
	metrics.coldStarts = 1
	return first
}

func (metrics *hearthMetricsType) totals() (invocations, failures int) {
	metrics.Lock()
	defer metrics.Unlock()
	for _, count := range metrics.invocations {
		invocations += count
	}
	for _, count := range metrics.errors {
		failures += count
	}
	return invocations, failures
}

func hearthLabel(value string) string {
	return hearthstrings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value)
}

func (metrics *hearthMetricsType) text() string {
	metrics.Lock()
	defer metrics.Unlock()
	var page hearthstrings.Builder
	const prefix = "knative_lambda_function_"
	labels := hearthfmt.Sprintf(`function="%s",namespace="%s"`,
		hearthLabel(hearthSettings.function), hearthLabel(hearthSettings.namespace))
	counters := func(name, help, label string, counts map[string]int) {
		hearthfmt.Fprintf(&page, "# HELP %s%s %s\n# TYPE %s%s counter\n",
			prefix, name, help, prefix, name)
		for key, count := range counts {
			hearthfmt.Fprintf(&page, "%s%s{%s,%s=\"%s\"} %d\n", prefix, name, labels, label,
				hearthLabel(key), count)
		}
	}
	counters("invocations_total", "Invocations by outcome.", "status", metrics.invocations)
	counters("errors_total", "Failed invocations by error type.", "error_type", metrics.errors)
	metrics.writeDurations(&page, prefix+"duration_seconds", labels)
	counters("cold_starts_total", "Cold starts of this instance.", "", nil)
	hearthfmt.Fprintf(&page, "%scold_starts_total{%s} %d\n", prefix, labels, metrics.coldStarts)
	return page.String()
}

func (metrics *hearthMetricsType) writeDurations(page hearthio.Writer, name, labels string) {
	hearthfmt.Fprintf(page, "# HELP %s Time spent in the handler.\n# TYPE %s histogram\n",
		name, name)
	total := 0
	for index, count := range metrics.buckets {
		bound := "+Inf"
		if index < len(hearthBuckets) {
			bound = hearthstrconv.FormatFloat(hearthBuckets[index], 'g', -1, 64)
		}
		total += count
		hearthfmt.Fprintf(page, "%s_bucket{%s,le=\"%s\"} %d\n", name, labels, bound, total)
	}
	hearthfmt.Fprintf(page, "%s_sum{%s} %g\n%s_count{%s} %d\n", name, labels, metrics.seconds,
		name, labels, total)
}

func hearthLog(level, message string, extras map[string]any) {
	line := map[string]any{"level": level, "ts": hearthtime.Now().UTC().Format(hearthTimeLayout),
		"function": hearthSettings.function, "namespace": hearthSettings.namespace, "msg": message}
	for key, value := range extras {
		line[key] = value
	}
	text, _ := hearthToJSON(line)
	hearthos.Stdout.Write(append(text, '\n'))
}

func hearthLogRequest(level, message string, request *hearthRequest, extras map[string]any) {
	extras["correlation_id"] = request.correlationID()
	if request.trace() {
		extras["trace_id"], extras["span_id"] = request.traceID, request.spanID
	}
	hearthLog(level, message, extras)
}

// ---- the handler --------------------------------------------------------------------------

type hearthFunction func(hearthcontext.Context, map[string]any) (any, error)

var (
	hearthLoaded    hearthFunction
	hearthLoadError string
)

// hearthLoad is false for a handler of a form that can't be called.
func hearthLoad() bool {
	switch handler := hearthHandler.(type) {
	case func(map[string]any) (any, error):
		hearthLoaded = func(_ hearthcontext.Context, event map[string]any) (any, error) {
			return handler(event)
		}
	case func(hearthcontext.Context, map[string]any) (any, error):
		hearthLoaded = handler
	case func(map[string]any) any:
		hearthLoaded = func(_ hearthcontext.Context, event map[string]any) (any, error) {
			return handler(event), nil
		}
	default:
		hearthLoadError = hearthfmt.Sprintf("the handler is a %T; it must be one of "+
			"func(map[string]interface{}) (interface{}, error), "+
			"func(context.Context, map[string]interface{}) (interface{}, error), "+
			"func(map[string]interface{}) interface{}", hearthHandler)
		hearthLog("error", "Handler failed to load", map[string]any{"error_type": "ImportError",
			"error_message": hearthLoadError, "stack": "", "handler": hearthSettings.handler})
		return false
	}
	hearthLog("info", "Handler loaded successfully",
		map[string]any{"handler": hearthSettings.handler})
	return true
}

type hearthOutcome struct {
	result any
	err    error
	stack  string
}

func hearthCall(ctx hearthcontext.Context, event map[string]any) (outcome hearthOutcome) {
	defer func() {
		if thrown := recover(); thrown != nil {
			outcome.err = hearthfmt.Errorf("panic: %v", thrown)
			outcome.stack = string(hearthdebug.Stack())
		}
	}()
	outcome.result, outcome.err = hearthLoaded(ctx, event)
	return outcome
}

// hearthInvoke ends with a reply, by the handler or by the time limit, whichever is first. A
// handler that ignores its context runs on, but nobody waits for it.
func hearthInvoke(request *hearthRequest, event map[string]any) *hearthReply {
	request.cold = hearthMetrics.takeColdStart()
	request.started = hearthtime.Now()
	if hearthSettings.debug {
		hearthLogStart(request)
	}
	ctx, cancel := hearthMakeContext(request)
	defer cancel()
	finished := make(chan hearthOutcome, 1)
	go func() { finished <- hearthCall(ctx, event) }()
	timer := hearthtime.NewTimer(hearthSettings.timeout)
	defer timer.Stop()
	var reply *hearthReply
	select {
	case outcome := <-finished:
		reply = hearthOutcomeReply(request, outcome)
	case <-timer.C:
		reply = hearthTimeoutReply(request)
	}
	if hearthSettings.debug {
		duration := float64(hearthtime.Since(request.started).Microseconds()) / 1000
		hearthLogRequest("debug", "Invocation completed", request,
			map[string]any{"status": reply.status, "duration_ms": duration})
	}
	if request.cold {
		reply.head = append(reply.head, hearthHeader{"x-hearth-cold", "true"})
	}
	return reply
}

func hearthOutcomeReply(request *hearthRequest, outcome hearthOutcome) *hearthReply {
	duration := hearthtime.Since(request.started)
	if outcome.err == nil {
		reply, err := hearthSuccessReply(request, outcome.result, duration)
		if err == nil {
			hearthMetrics.count("success", duration, "")
			return reply
		}
		outcome.err = err
	}
	// The handler noticed its deadline by the context before the timer here did.
	exceeded := heartherrors.Is(outcome.err, hearthcontext.DeadlineExceeded)
	if exceeded && duration >= hearthSettings.timeout {
		return hearthTimeoutReply(request)
	}
	failure := hearthFailure{"HandlerError", outcome.err.Error(), true, outcome.stack}
	if failure.Stack == "" {
		failure.Stack = hearthfmt.Sprintf("%T: %v", outcome.err, outcome.err)
	}
	hearthMetrics.count("error", duration, failure.Code)
	hearthLogRequest("error", "Invocation failed", request, map[string]any{
		"error_type": failure.Code, "error_message": failure.Message, "stack": failure.Stack})
	return hearthFailureReply(request, 500, failure, duration)
}

func hearthTimeoutReply(request *hearthRequest) *hearthReply {
	duration := hearthtime.Since(request.started)
	message := hearthfmt.Sprintf("the handler did not finish within %g s",
		hearthSettings.timeout.Seconds())
	hearthMetrics.count("timeout", duration, "TimeoutError")
	hearthLogRequest("error", "Invocation failed", request, map[string]any{
		"error_type": "TimeoutError", "error_message": message, "stack": ""})
	reply := hearthFailureReply(request, 504, hearthFailure{"TimeoutError", message, true, ""},
		duration)
	reply.timedOut = true
	return reply
}

func hearthLogStart(request *hearthRequest) {
	hearthLogRequest("debug", "Invocation started", request, map[string]any{
		"event_id": request.event["id"], "event_type": request.event["type"],
		"event_source": request.event["source"], "cold_start": request.cold})
}

// ---- routes -------------------------------------------------------------------------------

func hearthHealth(request *hearthRequest) *hearthReply {
	invocations, failures := hearthMetrics.totals()
	return hearthJSONReply(request, 200, map[string]any{"status": "healthy",
		"function": hearthSettings.function, "namespace": hearthSettings.namespace,
		"invocations": invocations, "errors": failures})
}

func hearthReadiness(request *hearthRequest) *hearthReply {
	if hearthLoaded != nil {
		return hearthHealth(request)
	}
	return hearthJSONReply(request, 503, map[string]any{"status": "not ready",
		"error": "ImportError", "message": hearthLoadError, "traceback": ""})
}

func hearthMetricsPage(request *hearthRequest) *hearthReply {
	return &hearthReply{status: 200, body: []byte(hearthMetrics.text()), head: []hearthHeader{
		{"content-type", "text/plain; version=0.0.4; charset=utf-8"}, hearthCorrelation(request)}}
}

func hearthRoute(request *hearthRequest) func(*hearthRequest) *hearthReply {
	if request.method != "GET" && request.method != "HEAD" {
		return nil
	}
	switch request.path {
	case "/health", "/healthz":
		return hearthHealth
	case "/readyz":
		return hearthReadiness
	case "/metrics":
		return hearthMetricsPage
	}
	return nil
}

func hearthRespond(request *hearthRequest) *hearthReply {
	if route := hearthRoute(request); route != nil {
		return route(request)
	}
	event, err := hearthReadEvent(request)
	var problem *hearthBadRequest
	if heartherrors.As(err, &problem) {
		return hearthBadRequestReply(request, problem)
	}
	if hearthLoaded == nil {
		return hearthFailureReply(request, 503,
			hearthFailure{"ImportError", hearthLoadError, false, ""}, 0)
	}
	return hearthInvoke(request, event)
}

func hearthBodyTooLarge() *hearthBadRequest {
	return &hearthBadRequest{413, "body_too_large",
		hearthfmt.Sprintf("the body is larger than %d bytes", hearthSettings.bodyBytesMax)}
}

// ---- framed connections -------------------------------------------------------------------

var hearthFrameError = heartherrors.New("malformed frame")

// hearthConnection carries frames: u32 length, u8 type, u8 flags, u16 zero, then the payload.
// One exchange at a time.
type hearthConnection struct {
	hearthnet.Conn
	reader *hearthbufio.Reader
	busy   hearthatomic.Bool
	output []byte
}

var (
	hearthConnections hearthsync.Map
	hearthRunning     hearthsync.WaitGroup
	hearthStopping    hearthatomic.Bool
)

func (connection *hearthConnection) serve() {
	defer hearthRunning.Done()
	defer hearthConnections.Delete(connection)
	defer connection.Close()
	for {
		request, refused, err := connection.readRequest()
		if err != nil {
			return
		}
		reply := refused
		if reply == nil {
			reply = hearthRespond(request)
		}
		if !connection.write(request.method, reply) || reply.lastReply || hearthStopping.Load() {
			return
		}
		connection.busy.Store(false)
		if hearthStopping.Load() { // between the last look and being idle again
			return
		}
	}
}

func (connection *hearthConnection) write(method string, reply *hearthReply) bool {
	connection.output = hearthEncodeReply(connection.output[:0], method, reply)
	_, err := connection.Write(connection.output)
	if reply.timedOut {
		hearthReport(map[string]any{"type": "timeout"})
	}
	if cap(connection.output) > 1<<20 {
		connection.output = nil // one large reply must not stay in memory
	}
	return err == nil
}

func (connection *hearthConnection) readFrame(expected byte) (payload []byte, end bool, err error) {
	var header [hearthFrameHeaderBytes]byte
	if _, err = hearthio.ReadFull(connection.reader, header[:]); err != nil {
		return nil, false, err
	}
	connection.busy.Store(true)
	length := hearthbinary.LittleEndian.Uint32(header[:])
	if length > hearthFrameBytesMax || header[4] != expected || header[6] != 0 || header[7] != 0 {
		return nil, false, hearthFrameError
	}
	payload = make([]byte, length)
	_, err = hearthio.ReadFull(connection.reader, payload)
	return payload, header[5]&hearthFrameEnd != 0, err
}

// readRequest also returns the reply to a request that is refused while it is read.
func (connection *hearthConnection) readRequest() (*hearthRequest, *hearthReply, error) {
	payload, end, err := connection.readFrame(hearthFrameHead)
	if err != nil {
		return nil, nil, err
	}
	request := hearthParseHead(string(payload))
	if request == nil {
		return nil, nil, hearthFrameError
	}
	for !end {
		if payload, end, err = connection.readFrame(hearthFrameData); err != nil {
			return nil, nil, err
		}
		if int64(len(request.body)+len(payload)) > hearthSettings.bodyBytesMax {
			refused := hearthBadRequestReply(request, hearthBodyTooLarge())
			refused.lastReply = true // what is left of the body isn't read
			return request, refused, nil
		}
		if request.body == nil {
			request.body = payload
		} else {
			request.body = append(request.body, payload...)
		}
	}
	return request, nil, nil
}

func hearthParseHead(text string) *hearthRequest {
	first, rest, _ := hearthstrings.Cut(text, "\n")
	method, target, ok := hearthstrings.Cut(first, " ")
	if !ok || target == "" || !hearthstrings.HasSuffix(text, "\n") {
		return nil
	}
	headers := make(map[string]string, 8)
	for rest != "" {
		var line string
		line, rest, _ = hearthstrings.Cut(rest, "\n")
		name, value, ok := hearthstrings.Cut(line, ":")
		if !ok {
			return nil
		}
		value = hearthstrings.TrimSpace(value)
		if before, repeated := headers[name]; repeated {
			separator := ", "
			if name == "cookie" {
				separator = "; "
			}
			value = before + separator + value
		}
		headers[name] = value
	}
	return hearthNewRequest(method, target, headers)
}

// hearthEncodeReply puts head and body in one buffer, so that they leave in one system call.
func hearthEncodeReply(output []byte, method string, reply *hearthReply) []byte {
	body := reply.body
	if method == "HEAD" {
		body = nil
	}
	output = append(output, make([]byte, hearthFrameHeaderBytes)...)
	output = hearthstrconv.AppendInt(output, int64(reply.status), 10)
	output = append(output, '\n')
	for _, header := range reply.head {
		output = append(append(append(output, header.name...), ": "...), header.value...)
		output = append(output, '\n')
	}
	output = append(output, "content-length: "...)
	output = append(hearthstrconv.AppendInt(output, int64(len(reply.body)), 10), '\n')
	hearthPutHeader(output, len(output)-hearthFrameHeaderBytes, hearthFrameHead, len(body) == 0)
	for len(body) > 0 {
		part := body
		if len(part) > hearthDataBytesMax {
			part = part[:hearthDataBytesMax]
		}
		body = body[len(part):]
		start := len(output)
		output = append(output, make([]byte, hearthFrameHeaderBytes)...)
		hearthPutHeader(output[start:], len(part), hearthFrameData, len(body) == 0)
		output = append(output, part...)
	}
	return output
}

func hearthPutHeader(output []byte, length int, kind byte, last bool) {
	hearthbinary.LittleEndian.PutUint32(output, uint32(length))
	output[4] = kind
	if last {
		output[5] = hearthFrameEnd
	}
}

// ---- HTTP ---------------------------------------------------------------------------------

func hearthServeHTTP(writer hearthhttp.ResponseWriter, incoming *hearthhttp.Request) {
	headers := make(map[string]string, len(incoming.Header))
	for name, values := range incoming.Header {
		headers[hearthstrings.ToLower(name)] = hearthstrings.Join(values, ", ")
	}
	headers["host"] = incoming.Host
	request := hearthNewRequest(incoming.Method, incoming.URL.RequestURI(), headers)
	request.parent = incoming.Context()
	limited := hearthhttp.MaxBytesReader(writer, incoming.Body, hearthSettings.bodyBytesMax)
	body, err := hearthio.ReadAll(limited)
	var tooLarge *hearthhttp.MaxBytesError
	switch {
	case heartherrors.As(err, &tooLarge):
		hearthSendHTTP(writer, hearthBadRequestReply(request, hearthBodyTooLarge()))
	case err != nil:
		panic(hearthhttp.ErrAbortHandler) // the client went away in the middle of its body
	default:
		request.body = body
		hearthSendHTTP(writer, hearthRespond(request))
	}
}

func hearthSendHTTP(writer hearthhttp.ResponseWriter, reply *hearthReply) {
	for _, header := range reply.head {
		writer.Header().Add(header.name, header.value)
	}
	if reply.status != 204 && reply.status != 304 {
		writer.Header().Set("Content-Length", hearthstrconv.Itoa(len(reply.body)))
	}
	writer.WriteHeader(reply.status)
	writer.Write(reply.body)
	if reply.timedOut {
		hearthReport(map[string]any{"type": "timeout"})
	}
}

// ---- the process --------------------------------------------------------------------------

var hearthControl hearthnet.Conn

// hearthReport tells the host; without a control socket it goes nowhere.
func hearthReport(message map[string]any) {
	if hearthControl != nil {
		text, _ := hearthToJSON(message)
		hearthControl.Write(append(text, '\n'))
	}
}

// hearthInherited opens a descriptor of the host. The file is closed again, because net works on
// a duplicate that programs started by the function don't inherit.
func hearthInherited(number string) *hearthos.File {
	fd, err := hearthstrconv.Atoi(number)
	if err != nil {
		hearthFail("bad descriptor number " + number)
	}
	return hearthos.NewFile(uintptr(fd), "inherited")
}

func hearthFail(message string) {
	hearthLog("error", message, nil)
	hearthos.Exit(1)
}

func hearthOpenControl() {
	file := hearthInherited(hearthSettings.controlFd)
	connection, err := hearthnet.FileConn(file)
	file.Close()
	if err != nil {
		hearthFail("control socket: " + err.Error())
	}
	hearthControl = connection
	go func() {
		// Nothing is ever sent to us here: an end of reading means that the host has gone.
		hearthio.Copy(hearthio.Discard, connection)
		hearthos.Exit(1)
	}()
}

func hearthServeFrames(stop <-chan hearthos.Signal) {
	file := hearthInherited(hearthSettings.socketFd)
	listener, err := hearthnet.FileListener(file)
	file.Close()
	if err != nil {
		hearthFail("listening socket: " + err.Error())
	}
	go func() {
		for {
			accepted, err := listener.Accept()
			if err != nil {
				return
			}
			connection := &hearthConnection{Conn: accepted,
				reader: hearthbufio.NewReaderSize(accepted, hearthDataBytesMax)}
			hearthConnections.Store(connection, true)
			hearthRunning.Add(1)
			go connection.serve()
		}
	}()
	hearthReport(map[string]any{"type": "ready"})
	<-stop
	hearthStopping.Store(true)
	listener.Close()
	hearthConnections.Range(func(key, _ any) bool {
		if connection := key.(*hearthConnection); !connection.busy.Load() {
			// What has arrived is still read and answered; the sender of later bytes is told.
			connection.Conn.(*hearthnet.UnixConn).CloseRead()
		}
		return true
	})
	hearthWaitForRunning()
}

func hearthWaitForRunning() {
	finished := make(chan struct{})
	go func() { hearthRunning.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-hearthtime.After(hearthSettings.grace):
	}
}

func hearthServePort(stop <-chan hearthos.Signal) {
	server := &hearthhttp.Server{Addr: "0.0.0.0:" + hearthSettings.port,
		Handler: hearthhttp.HandlerFunc(hearthServeHTTP), IdleTimeout: hearthIdleMax,
		ReadHeaderTimeout: hearthHeadTime, MaxHeaderBytes: hearthHeadBytesMax}
	listener, err := hearthnet.Listen("tcp4", server.Addr)
	if err != nil {
		hearthFail(err.Error())
	}
	hearthReport(map[string]any{"type": "ready"})
	go server.Serve(listener)
	<-stop
	ctx, cancel := hearthcontext.WithTimeout(hearthcontext.Background(), hearthSettings.grace)
	defer cancel()
	server.Shutdown(ctx)
}

func main() {
	// Explicitly, because the kernel ignores a signal without a handler for process 1.
	stop := make(chan hearthos.Signal, 2)
	hearthsignal.Notify(stop, hearthsyscall.SIGTERM, hearthsyscall.SIGINT)
	if hearthSettings.controlFd != "" {
		hearthOpenControl()
	}
	hearthLog("info", "Lambda runtime started", map[string]any{"language": "go",
		"version": hearthruntime.Version(), "handler": hearthSettings.handler})
	if !hearthLoad() && hearthControl != nil {
		hearthReport(map[string]any{"type": "failed", "error": "ImportError",
			"message": hearthLoadError, "traceback": ""})
		hearthos.Exit(1)
	}
	if hearthSettings.socketFd != "" {
		hearthServeFrames(stop)
	} else {
		hearthServePort(stop)
	}
}
