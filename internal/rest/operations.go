package rest

import "net/http"

// operation is one thing that can be asked for, and how it is described.
type operation struct {
	method, path string
	handle       func(http.ResponseWriter, *http.Request) error

	id, summary, details string
	tag                  string
	parameters           []parameter
	body                 any // a value of the type of the body, or a schema; nil means none
	answers              map[int]response
	problems             []int // statuses of problem documents, besides those of every operation
}

// parameter is a header, a query parameter or a part of the path.
type parameter struct {
	name, in, about string
	required        bool
	schema          map[string]any
}

// response is an answer that is no problem.
type response struct {
	about  string
	media  string // empty means application/json
	schema any    // a value of the type, or a schema; nil means no body
	header map[string]string
}

// common are the problems that every operation may have: a malformed or missing credential, a scope or an origin, a rate,
// a fault, a provider, store or record that is away.
var common = []int{400, 401, 403, 429, 500, 503}

var (
	object = map[string]any{"type": "object"}
	text   = map[string]any{"type": "string"}
)

// operations are all there are. The tools are operations of their own in the document, each with its schemas.
func (h *Handler) operations() []operation {
	id := parameter{name: "id", in: "path", about: "The call's id.", required: true, schema: text}
	tagged := parameter{name: "If-None-Match", in: "header", about: "The ETag of what the caller has.", schema: text}
	unchanged := response{about: "The caller has it."}
	return []operation{
		{method: "GET", path: Base + "/tools", handle: h.tools, id: "list-tools", tag: "tools", summary: "List the tools that the caller may call",
			parameters: []parameter{tagged},
			answers: map[int]response{200: {about: "The tools.", schema: struct {
				Tools []tool `json:"tools"`
			}{}}, 304: unchanged}},
		{method: "GET", path: Base + "/tools/{name}", handle: h.tool, id: "get-tool", tag: "tools", summary: "Describe one tool",
			parameters: []parameter{{name: "name", in: "path", about: "The tool's name.", required: true, schema: text}, tagged},
			answers:    map[int]response{200: {about: "The tool.", schema: tool{}}, 304: unchanged}, problems: []int{404}},
		{method: "POST", path: Base + "/tools/{name}", handle: h.callTool, id: "call-tool", tag: "tools", summary: "Call any tool and wait for its result",
			details:    "Each tool has an operation of its own, typed by its schemas; this one is for programs that choose tools by name.",
			parameters: []parameter{{name: "name", in: "path", about: "The tool's name.", required: true, schema: text}}, body: object,
			answers: map[int]response{200: {about: "What the tool returned.", schema: object}}, problems: []int{404, 409, 413, 415, 422, 502, 504}},
		{method: "POST", path: Base + "/calls", handle: h.begin, id: "begin-call", tag: "calls", summary: "Begin a call that may take long",
			details:    "The call goes on when the connection ends. Its events can be followed from anywhere, by its caller alone.",
			parameters: []parameter{{name: "Idempotency-Key", in: "header", about: "A text of the caller's: a second request with it gets the first one's call.", schema: map[string]any{"type": "string", "minLength": 1, "maxLength": maxKey}}},
			body:       wanted{},
			answers: map[int]response{202: {about: "The call has begun.", schema: call{}, header: map[string]string{
				"Location": "Where the call can be looked at.", "Idempotent-Replayed": "true where the key was seen before."}}},
			problems: []int{404, 413, 415, 422}},
		{method: "GET", path: Base + "/calls", handle: h.calls, id: "list-calls", tag: "calls", summary: "List the caller's calls, the newest first",
			answers: map[int]response{200: {about: "The calls, without arguments and results.", schema: struct {
				Calls []call `json:"calls"`
			}{}}}},
		{method: "GET", path: Base + "/calls/{id}", handle: h.call, id: "get-call", tag: "calls", summary: "Look at a call",
			parameters: []parameter{id, tagged},
			answers:    map[int]response{200: {about: "The call, with its result once it has one.", schema: call{}}, 304: unchanged}, problems: []int{404}},
		{method: "GET", path: Base + "/calls/{id}/events", handle: h.events, id: "follow-call", tag: "calls", summary: "Follow a call until it ends",
			details: "Server-sent events: `progress` and `state`, each with an id. A reader who comes back sends the last one in Last-Event-ID and misses nothing.",
			parameters: []parameter{id, {name: "Last-Event-ID", in: "header", about: "The id of the last event that was read.",
				schema: map[string]any{"type": "string", "pattern": "^[0-9]{1,18}$"}}},
			answers: map[int]response{200: {about: "The events.", media: "text/event-stream", schema: text}}, problems: []int{404}},
		{method: "POST", path: Base + "/calls/{id}/input", handle: h.input, id: "answer-call", tag: "calls", summary: "Give a call the input that it asks for",
			parameters: []parameter{id}, body: answers{},
			answers: map[int]response{202: {about: "The call goes on."}}, problems: []int{404, 409, 413, 415, 422}},
		{method: "DELETE", path: Base + "/calls/{id}", handle: h.cancel, id: "cancel-call", tag: "calls", summary: "Cancel a call, or forget one that has ended",
			parameters: []parameter{id},
			answers:    map[int]response{202: {about: "It was told to end; its events say when it has."}, 204: {about: "It had ended, and is forgotten."}}, problems: []int{404}},
		{method: "GET", path: Base + "/resources", handle: h.resources, id: "list-resources", tag: "resources", summary: "List what the caller may read",
			parameters: []parameter{tagged},
			answers: map[int]response{200: {about: "The resources.", schema: struct {
				Resources []resource `json:"resources"`
			}{}}, 304: unchanged}},
		{method: "GET", path: Base + "/resources/read", handle: h.read, id: "read-resource", tag: "resources", summary: "Read a resource",
			parameters: []parameter{{name: "uri", in: "query", about: "The resource's URI.", required: true, schema: map[string]any{"type": "string", "minLength": 1}}},
			answers: map[int]response{200: {about: "Its contents, as MCP has them.", schema: struct {
				Contents []any `json:"contents"`
			}{}}}, problems: []int{404, 502, 504}},
		{method: "GET", path: Base + "/me", handle: h.me, id: "get-me", tag: "me", summary: "Say who is calling, as the server sees it",
			answers: map[int]response{200: {about: "The caller.", schema: me{}}}},
		{method: "POST", path: "/reverse", handle: h.reverse, id: "reverse", tag: "older", summary: "Reverse a text, under the names of an older API",
			body: reversible{}, answers: map[int]response{200: {about: "The text, reversed.", schema: reversed{}}}, problems: []int{404, 413, 415, 422, 502, 504}},
	}
}
