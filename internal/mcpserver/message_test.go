package mcpserver

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

func TestParseRefuses(t *testing.T) {
	for _, row := range []struct {
		name, body string
		code       int64
		want       string
		id         string
	}{
		{"nothing", "", jsonrpc.CodeInvalidRequest, "the body is empty", ""},
		{"space", " \n", jsonrpc.CodeInvalidRequest, "the body is empty", ""},
		{"a method with a control character", `{"jsonrpc":"2.0","id":1,"method":"tools\u0009/call"}`, jsonrpc.CodeInvalidRequest, "must be the name of a method", "1"},
		{"a string", `"x"`, jsonrpc.CodeParseError, "the body is not a JSON object", ""},
		{"a NUL byte", "\x00", jsonrpc.CodeParseError, "the body is not a JSON object", ""},
		{"a byte order mark", "\ufeff{}", jsonrpc.CodeParseError, "the body is not a JSON object", ""},
		{"attack 43 a batch", `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, jsonrpc.CodeInvalidRequest, "batches are not supported", ""},
		{"attack 43 an empty batch", `[]`, jsonrpc.CodeInvalidRequest, "batches are not supported", ""},
		{"attack 43 trailing data", `{"jsonrpc":"2.0","id":1,"method":"ping"} {"x":1}`, jsonrpc.CodeParseError, "something follows the message", ""},
		{"attack 43 a trailing NUL", `{"jsonrpc":"2.0","id":1,"method":"ping"}` + "\x00", jsonrpc.CodeParseError, "something follows the message", ""},
		{"attack 43 invalid UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\xffng\"}", jsonrpc.CodeParseError, "not valid UTF-8", ""},
		{"attack 43 half a surrogate pair", `{"jsonrpc":"2.0","id":1,"method":"\ud800"}`, jsonrpc.CodeParseError, "half a character", ""},
		{"attack 43 a depth bomb of arrays", `{"jsonrpc":"2.0","id":1,"method":"ping","params":` + strings.Repeat("[", 100_000) + `}`, jsonrpc.CodeParseError, "nests deeper than 64 levels", ""},
		{"attack 43 a depth bomb of objects", `{"jsonrpc":"2.0","id":1,"method":"ping","params":` + strings.Repeat(`{"a":`, 100_000) + `}`, jsonrpc.CodeParseError, "nests deeper than 64 levels", ""},
		{"attack 41 a key twice", `{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}`, jsonrpc.CodeParseError, `the key "method" stands there twice`, ""},
		{"attack 41 a key twice, once escaped", `{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"tools/call"}`, jsonrpc.CodeParseError, `the key "method" stands there twice`, ""},
		{"attack 41 a key in another case", `{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}`, jsonrpc.CodeParseError, `"Method", which looks like "method"`, ""},
		{"attack 41 only a key in another case", `{"jsonrpc":"2.0","id":1,"METHOD":"tools/call"}`, jsonrpc.CodeParseError, `which looks like "method"`, ""},
		{"attack 41 a key with U+017F", `{"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":{}}`, jsonrpc.CodeParseError, `which looks like "params"`, ""},
		{"attack 41 a key with U+212A", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","_meta":{"progressTo\u212aen":1}}}`, jsonrpc.CodeInvalidParams, `which looks like "progressToken"`, "1"},
		{"attack 41 a key with NUL", `{"jsonrpc":"2.0","id":1,"method":"ping","method\u0000":"tools/call"}`, jsonrpc.CodeParseError, "a key contains NUL", ""},
		{"attack 41 a nested name in another case", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}`, jsonrpc.CodeInvalidParams, `"Name", which looks like "name"`, "1"},
		{"attack 41 two unknown keys that differ by case", `{"jsonrpc":"2.0","id":1,"method":"ping","x":1,"X":2}`, jsonrpc.CodeParseError, "differ only by case", ""},
		{"attack 41 a key twice deep in the arguments", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":{"y":1,"y":2}}}}`, jsonrpc.CodeParseError, `the key "y" stands there twice`, ""},
		{"another version of JSON-RPC", `{"jsonrpc":"1.0","id":1,"method":"ping"}`, jsonrpc.CodeInvalidRequest, `"jsonrpc" must be "2.0"`, "1"},
		{"no version of JSON-RPC", `{"id":"a","method":"ping"}`, jsonrpc.CodeInvalidRequest, `"jsonrpc" must be "2.0"`, `"a"`},
		{"a null id", `{"jsonrpc":"2.0","id":null,"method":"ping"}`, jsonrpc.CodeInvalidRequest, "the id must be", ""},
		{"a fraction as id", `{"jsonrpc":"2.0","id":1.5,"method":"ping"}`, jsonrpc.CodeInvalidRequest, "the id must be", ""},
		{"an id that is rounded", `{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`, jsonrpc.CodeInvalidRequest, "the id must be", ""},
		{"attack 41 a second spelling of an id", `{"jsonrpc":"2.0","id":-0,"method":"ping"}`, jsonrpc.CodeInvalidRequest, "the id must be", ""},
		{"an object as id", `{"jsonrpc":"2.0","id":{},"method":"ping"}`, jsonrpc.CodeInvalidRequest, "the id must be", ""},
		{"a huge id", `{"jsonrpc":"2.0","id":"` + strings.Repeat("x", 300) + `","method":"ping"}`, jsonrpc.CodeInvalidRequest, "the id must be", ""},
		{"an empty method", `{"jsonrpc":"2.0","id":1,"method":""}`, jsonrpc.CodeInvalidRequest, `"method" must be`, "1"},
		{"a number as method", `{"jsonrpc":"2.0","id":1,"method":7}`, jsonrpc.CodeInvalidRequest, `"method" must be`, "1"},
		{"null as method", `{"jsonrpc":"2.0","id":1,"method":null}`, jsonrpc.CodeInvalidRequest, `"method" must be`, "1"},
		{"no method and no result", `{"jsonrpc":"2.0","id":1}`, jsonrpc.CodeInvalidRequest, "no method and is no answer", "1"},
		{"attack 43 a request that is an answer too", `{"jsonrpc":"2.0","id":1,"method":"tools/list","result":{}}`, jsonrpc.CodeInvalidRequest, "a request and an answer at once", "1"},
		{"attack 43 a request that is an error too", `{"jsonrpc":"2.0","id":1,"method":"tools/list","error":null}`, jsonrpc.CodeInvalidRequest, "a request and an answer at once", "1"},
		{"an answer to nothing", `{"jsonrpc":"2.0","result":{}}`, jsonrpc.CodeInvalidRequest, "no method and is no answer", ""},
		{"an answer with result and error", `{"jsonrpc":"2.0","id":1,"result":{},"error":{}}`, jsonrpc.CodeInvalidRequest, "no method and is no answer", "1"},
		{"attack 56 params that are an array", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["a"]}`, jsonrpc.CodeInvalidParams, "the params of tools/call must be an object", "1"},
		{"attack 56 params that are a string", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":"a"}`, jsonrpc.CodeInvalidParams, "the params of tools/list must be an object", "1"},
		{"attack 56 absent params where a name is needed", `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`, jsonrpc.CodeInvalidParams, `tools/call needs "name" in its params`, "1"},
		{"attack 56 null params where a name is needed", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":null}`, jsonrpc.CodeInvalidParams, `tools/call needs "name" in its params`, "1"},
		{"attack 56 a null name", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":null}}`, jsonrpc.CodeInvalidParams, `"name" must be a string that is not empty`, "1"},
		{"attack 56 an empty URI", `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":""}}`, jsonrpc.CodeInvalidParams, `"uri" must be a string that is not empty`, "1"},
		{"attack 56 absent params of initialize", `{"jsonrpc":"2.0","id":1,"method":"initialize"}`, jsonrpc.CodeInvalidParams, `initialize needs "protocolVersion"`, "1"},
		{"attack 41 the notifications of a subscription in another case", `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"ResourceSubscriptions":[]}}}`, jsonrpc.CodeInvalidParams, `which looks like "resourceSubscriptions"`, "1"},
		{"resources of a subscription that are no list", `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":{}}}}`, jsonrpc.CodeInvalidParams, `must be a list of URIs`, "1"},
		{"resources of a subscription without number", `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a:"` + strings.Repeat(`,"a:"`, 100) + `]}}}`, jsonrpc.CodeInvalidParams, `at most 100 resources`, "1"},
		{"attack 56 absent params of a subscription", `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{}}`, jsonrpc.CodeInvalidParams, `needs the object "notifications"`, "1"},
		{"arguments that are an array", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":[]}}`, jsonrpc.CodeInvalidParams, `"arguments" must be an object`, "1"},
		{"a cursor that is a number", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":1}}`, jsonrpc.CodeInvalidParams, `"cursor" must be a string`, "1"},
		{"_meta that is an array", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":[]}}`, jsonrpc.CodeInvalidParams, `"_meta" must be an object`, "1"},
		{"a version that is a number", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":1}}}`, jsonrpc.CodeInvalidParams, "must be a protocol version", "1"},
		{"capabilities that are a list", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/clientCapabilities":[]}}}`, jsonrpc.CodeInvalidParams, "clientCapabilities", "1"},
		{"a progress token that is an object", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"progressToken":{}}}}`, jsonrpc.CodeInvalidParams, `"progressToken" must be`, "1"},
		{"a number with a leading zero", `{"jsonrpc":"2.0","id":01,"method":"ping"}`, jsonrpc.CodeParseError, "does not end", ""},
		{"a control character in a string", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\nb\"}", jsonrpc.CodeParseError, "control character", ""},
		{"an unknown escape", `{"jsonrpc":"2.0","id":1,"method":"\x"}`, jsonrpc.CodeParseError, "unknown escape", ""},
	} {
		t.Run(row.name+" is refused", func(t *testing.T) {
			m, fault := parse([]byte(row.body))
			if fault == nil || fault.Code != row.code || !strings.Contains(fault.Message, row.want) {
				t.Fatalf("got %+v", fault)
			}
			var id string
			if m != nil {
				id = string(m.id)
			}
			if id != row.id {
				t.Errorf("the id is %s", id)
			}
			if len(fault.Message) > 400 {
				t.Errorf("the message has %d bytes", len(fault.Message))
			}
		})
	}
}

func TestParseReads(t *testing.T) {
	for _, row := range []struct {
		name, body string
		want       message
	}{
		{"a call", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","arguments":{"x":[1,-0.5e+3,true,null,"\ud83d\ude00"]}}}`,
			message{id: json.RawMessage("7"), method: "tools/call", params: true, name: "a"}},
		{"a name that is escaped", `{"jsonrpc":"2.0","id":"s","method":"tools/call","params":{"name":"\u0061"}}`,
			message{id: json.RawMessage(`"s"`), method: "tools/call", params: true, name: "a"}},
		{"a notification", ` {"jsonrpc":"2.0","method":"notifications/initialized"} `, message{method: "notifications/initialized"}},
		{"an answer", `{"jsonrpc":"2.0","id":1,"result":{}}`, message{id: json.RawMessage("1"), response: true}},
		{"null params where none are needed", `{"jsonrpc":"2.0","id":1,"method":"ping","params":null}`, message{id: json.RawMessage("1"), method: "ping"}},
		{"what _meta says", `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a://b","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"progressToken":5,"mine/own":1}}}`,
			message{id: json.RawMessage("1"), method: "resources/read", params: true, name: "a://b", version: "2026-07-28", capable: true, token: true}},
		{"arguments whose keys differ by case, which are the tool's affair", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"X":2}}}`,
			message{id: json.RawMessage("1"), method: "tools/call", params: true, name: "a"}},
		{"an unknown member", `{"jsonrpc":"2.0","id":1,"method":"ping","trace":"x"}`, message{id: json.RawMessage("1"), method: "ping"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			m, fault := parse([]byte(row.body))
			if fault != nil {
				t.Fatal(fault.Message)
			}
			got, err := json.Marshal(struct {
				ID, Method, Name, Version               string
				Response, Params, Capable, Token, IsCal bool
			}{string(m.id), m.method, m.name, m.version, m.response, m.params, m.capable, m.token, m.isCall()})
			if err != nil {
				t.Fatal(err)
			}
			w := row.want
			want, err := json.Marshal(struct {
				ID, Method, Name, Version               string
				Response, Params, Capable, Token, IsCal bool
			}{string(w.id), w.method, w.name, w.version, w.response, w.params, w.capable, w.token, w.id != nil && !w.response})
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// FuzzParse checks that whatever is read is JSON to encoding/json too, means the same there and, with its spaces changed,
// the same again; and that whatever is refused has a code of JSON-RPC and a short reason without control characters.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":[1,-0.5e+3,true,null,"\ud83d\ude00"]}}}`,
		`{"jsonrpc":"2.0","id":"1","method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","progressToken":1}}}`,
		`{"jsonrpc":"2.0","id":1,"result":{}}`, `[]`, `{}`, `{"a":`, `{"\u0000":1}`, `{"jsonrpc":"2.0","method":null,"params":null}`,
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"nobody/knows","params":{"name":{"x":[1e999]},"uri":null}}`,
	} {
		f.Add([]byte(seed))
	}
	text := func(raw json.RawMessage) (s string) {
		if json.Unmarshal(raw, &s) != nil {
			return "no string: " + string(raw)
		}
		return s
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, fault := parse(body)
		if fault != nil {
			codes := []int64{jsonrpc.CodeParseError, jsonrpc.CodeInvalidRequest, jsonrpc.CodeMethodNotFound, jsonrpc.CodeInvalidParams}
			control := strings.ContainsFunc(fault.Message, func(r rune) bool { return r < ' ' })
			if !slices.Contains(codes, int64(fault.Code)) || fault.Message == "" || len(fault.Message) > 1000 || control || !utf8.ValidString(fault.Message) {
				t.Fatalf("refused with %d %q", fault.Code, fault.Message)
			}
			return
		}
		var wide bytes.Buffer
		if err := json.Indent(&wide, body, " ", "\t"); err != nil {
			t.Fatalf("read what is not JSON: %v", err)
		}
		again, fault := parse(wide.Bytes())
		if fault != nil {
			t.Fatalf("with other spaces it is refused: %s", fault.Message)
		}
		if string(again.id) != string(m.id) || again.method != m.method || again.name != m.name || again.version != m.version ||
			again.response != m.response || again.params != m.params || again.capable != m.capable || again.token != m.token {
			t.Fatalf("with other spaces %+v is read as %+v", m, again)
		}
		var read struct {
			Version string          `json:"jsonrpc"`
			ID      json.RawMessage `json:"id"`
			Method  string          `json:"method"`
			Params  struct {
				Name, URI json.RawMessage // a method that nobody knows may mean something else by them
			} `json:"params"`
		}
		if err := json.Unmarshal(body, &read); err != nil {
			t.Fatalf("read what is not JSON: %v", err)
		}
		if read.Version != "2.0" || read.Method != m.method || string(read.ID) != string(m.id) {
			t.Errorf("read %+v as %+v", read, m)
		}
		if m.method == "tools/call" && text(read.Params.Name) != m.name || m.method == "resources/read" && text(read.Params.URI) != m.name {
			t.Errorf("read %+v as %+v", read, m)
		}
	})
}
