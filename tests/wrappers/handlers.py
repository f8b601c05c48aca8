"""The same sample function in every language. The event's "do" says what to show."""

PYTHON = '''
import os, time
class Custom(Exception):
    pass
def handler(event, context):
    do = event.get("do") if isinstance(event, dict) else None
    if do == "text": return "h\\u00e9llo"
    if do == "bytes": return b"\\x00\\xff"
    if do == "none": return None
    if do == "list": return [1, 2.5, None, True]
    if do == "proxy":
        return {"statusCode": 418, "headers": {"X-Tea": "pot", "Connection": "close"},
                "body": {"a": 1}}
    if do == "proxy64":
        return {"statusCode": 200, "headers": {"content-type": "image/png"}, "body": "AAH/",
                "isBase64Encoded": True}
    if do == "inject": return {"statusCode": 200, "headers": {"x-a": "b\\r\\nx-c: d"}, "body": ""}
    if do == "event":
        return {"specversion": "1.0", "type": "t.reply", "source": "/me", "colour": "a b",
                "data": {"n": 1}}
    if do == "fail": raise Custom("broken on purpose")
    if do == "fail-type": raise TypeError("wrong on purpose")
    if do == "unsayable": return {"f": lambda: 1}
    if do == "sleep":
        time.sleep(event["seconds"])
        return {"slept": True}
    if do == "print": print("user output")
    if do == "big": return "x" * event["bytes"]
    if do == "length": return len(event["text"])
    if do == "context":
        return {"functionName": context.function_name, "namespace": context.namespace,
                "invocationId": context.invocation_id, "correlationId": context.correlation_id,
                "event": context.event, "method": context.method, "path": context.path,
                "query": context.query, "header": context.headers.get("x-a"),
                "traceparent": context.traceparent,
                "remains": context.get_remaining_time_in_millis() > 0,
                "deadlineIsAhead": context.deadline_ms > time.time() * 1000}
    return {"seen": event.decode("latin-1") if isinstance(event, bytes) else event,
            "kind": type(event).__name__}
'''

NODE = '''
class Custom extends Error { constructor(m) { super(m); this.name = 'Custom'; } }
exports.handler = async (event, context) => {
  switch (event.do) {
    case 'text': return 'h\\u00e9llo';
    case 'bytes': return Buffer.from([0, 255]);
    case 'none': return null;
    case 'list': return [1, 2.5, null, true];
    case 'proxy': return { statusCode: 418,
      headers: { 'X-Tea': 'pot', Connection: 'close' }, body: { a: 1 } };
    case 'proxy64': return { statusCode: 200, headers: { 'content-type': 'image/png' },
      body: 'AAH/', isBase64Encoded: true };
    case 'inject': return { statusCode: 200, headers: { 'x-a': 'b\\r\\nx-c: d' }, body: '' };
    case 'event': return { specversion: '1.0', type: 't.reply', source: '/me', colour: 'a b',
      data: { n: 1 } };
    case 'fail': throw new Custom('broken on purpose');
    case 'fail-type': throw new TypeError('wrong on purpose');
    case 'unsayable': return { n: 1n };
    case 'sleep':
      await new Promise((done) => setTimeout(done, event.seconds * 1000));
      return { slept: true };
    case 'print': console.log('user output'); break;
    case 'big': return 'x'.repeat(event.bytes);
    case 'length': return event.text.length;
    case 'context': return { functionName: context.functionName, namespace: context.namespace,
      invocationId: context.invocationId, correlationId: context.correlationId,
      event: context.event, method: context.method, path: context.path, query: context.query,
      header: context.headers['x-a'], traceparent: context.traceparent,
      remains: context.getRemainingTimeInMillis() > 0,
      deadlineIsAhead: context.deadlineMs > Date.now() };
  }
  if (Buffer.isBuffer(event)) return { seen: event.toString('latin1'), kind: 'bytes' };
  const kind = Array.isArray(event) ? 'list' : { string: 'str', object: 'dict' }[typeof event];
  return { seen: event, kind };
};
'''

GO = '''
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// These clash with nothing of the wrapper's.
func url() string { return "mine" }

var debug, rand = url(), 4

type object = map[string]interface{}

func Handler(ctx context.Context, event map[string]interface{}) (interface{}, error) {
	switch event["do"] {
	case "text":
		return "h\\u00e9llo", nil
	case "bytes":
		return []byte{0, 255}, nil
	case "none":
		return nil, nil
	case "list":
		return []interface{}{1, 2.5, nil, true}, nil
	case "proxy":
		return object{"statusCode": 418, "body": object{"a": 1},
			"headers": object{"X-Tea": "pot", "Connection": "close"}}, nil
	case "proxy64":
		return object{"statusCode": 200, "body": "AAH/", "isBase64Encoded": true,
			"headers": map[string]string{"content-type": "image/png"}}, nil
	case "inject":
		return object{"statusCode": 200, "body": "", "headers": object{"x-a": "b\\r\\nx-c: d"}}, nil
	case "event":
		return object{"specversion": "1.0", "type": "t.reply", "source": "/me", "colour": "a b",
			"data": object{"n": 1}}, nil
	case "fail":
		return nil, errors.New("broken on purpose")
	case "fail-type":
		panic("wrong on purpose")
	case "unsayable":
		return object{"f": func() {}}, nil
	case "sleep":
		time.Sleep(time.Duration(event["seconds"].(float64) * float64(time.Second)))
		return object{"slept": true}, nil
	case "print":
		fmt.Println("user output")
	case "big":
		return strings.Repeat("x", int(event["bytes"].(float64))), nil
	case "length":
		return len(event["text"].(string)), nil
	case "context":
		about := hearthFromContext(ctx)
		deadline, _ := ctx.Deadline()
		return object{"functionName": about.FunctionName, "namespace": about.Namespace,
			"invocationId": about.InvocationID, "correlationId": about.CorrelationID,
			"event": about.Event, "method": about.Method, "path": about.Path,
			"query": about.Query, "header": about.Headers["x-a"],
			"traceparent": about.Traceparent, "remains": time.Until(deadline) > 0,
			"deadlineIsAhead": about.DeadlineMs > time.Now().UnixMilli()}, nil
	}
	if encoded, ok := event["data_base64"]; ok {
		return object{"seen": encoded, "kind": "bytes"}, nil
	}
	kind := "dict"
	seen := interface{}(event)
	if data, ok := event["data"]; ok && len(event) == 1 {
		seen = data
		kind = map[bool]string{true: "str", false: "list"}[fmt.Sprintf("%T", data) == "string"]
	}
	return object{"seen": seen, "kind": kind}, nil
}
'''

# Takes the event alone and is not asynchronous.
SHORT = {
    "python": "def handler(event):\n    return {'short': event}\n",
    "nodejs": "exports.handler = (event) => ({ short: event });\n",
    "go": "package main\n\nfunc Handler(event map[string]interface{}) (interface{}, error) {\n"
          "\treturn map[string]interface{}{\"short\": event}, nil\n}\n",
}
