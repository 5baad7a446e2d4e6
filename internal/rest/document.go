package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.yaml.in/yaml/v3"

	"github.com/fastmcp-auth/fastmcp-auth/internal/calls"
)

// call is a call as it is described; [calls.Call] is what is written.
type call = calls.Call

// described is the document as it is written, for one way of signing in.
type described struct {
	signIn SignIn
	json   []byte
	yaml   func() ([]byte, error) // its writer takes some megabytes, which most servers never need
}

// describe writes the OpenAPI document, and again when how one signs in has become known. What it says of tools is for
// everyone: who may call them is not in it.
func (h *Handler) describe(ctx context.Context) (*described, error) {
	signIn := h.o.SignIn(ctx)
	if known := h.written.Load(); known != nil && known.signIn == signIn {
		return known, nil
	}
	doc, err := h.openAPI(signIn)
	if err != nil {
		return nil, err
	}
	d := &described{signIn: signIn}
	if d.json, err = json.Marshal(doc); err != nil {
		return nil, err
	}
	d.yaml = sync.OnceValues(func() ([]byte, error) {
		var plain any
		if err := json.Unmarshal(d.json, &plain); err != nil {
			return nil, err
		}
		return yaml.Marshal(plain)
	})
	h.written.Store(d)
	return d, nil
}

func (h *Handler) document(media string, form func(*described) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		d, err := h.describe(r.Context())
		var data []byte
		if err == nil {
			data, err = form(d)
		}
		if err != nil {
			h.refuse(w, r, err)
			return
		}
		w.Header().Set("Content-Type", media)
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Write(data)
	}
}

type members = map[string]any

func (h *Handler) openAPI(signIn SignIn) (members, error) {
	d := &describer{schemas: members{}, problems: members{}}
	schemes := h.security(signIn)
	for _, name := range slices.Sorted(maps.Keys(schemes)) {
		d.secured = append(d.secured, members{name: []any{}})
	}
	paths := members{}
	add := func(op operation) {
		at, _ := paths[op.path].(members)
		if at == nil {
			at = members{}
			paths[op.path] = at
		}
		at[strings.ToLower(op.method)] = d.operation(op)
	}
	for _, op := range h.operations() {
		if op.id != "" {
			add(op)
		}
	}
	for _, t := range h.o.Box.AllTools() {
		add(toolOperation(t))
		add(operation{method: "GET", path: Base + "/tools/" + t.Name, id: "get-" + t.Name, tag: "tools", summary: "Describe " + orElse(t.Title, t.Name),
			answers: map[int]response{200: {about: "The tool.", schema: tool{}}, 304: {about: "The caller has it."}}, problems: []int{404}})
	}
	if d.err != nil {
		return nil, d.err
	}
	doc := members{
		"openapi": "3.1.0",
		"info": members{"title": "fastmcp-auth", "version": h.o.Version, "summary": "The tools of this server as a REST API",
			"license": members{"name": "Apache-2.0", "identifier": "Apache-2.0"}},
		"servers":    []any{members{"url": h.o.Public}},
		"tags":       tags(),
		"paths":      paths,
		"components": members{"schemas": d.schemas, "responses": d.problems, "securitySchemes": schemes},
	}
	return doc, d.err
}

func tags() []any {
	return []any{
		members{"name": "tools", "description": "The tools. Each call waits for its result."},
		members{"name": "calls", "description": "Calls that outlive the request that began them."},
		members{"name": "resources", "description": "What can be read."},
		members{"name": "me", "description": "Who is calling."},
		members{"name": "older", "description": "For clients of an older API."},
	}
}

// security says how one signs in. The cookie is the console's.
func (h *Handler) security(signIn SignIn) members {
	if h.o.Protect == nil {
		return members{}
	}
	schemes := members{
		"bearer": members{"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token of " + signIn.Issuer},
	}
	if h.o.Cookie != "" {
		schemes["console"] = members{"type": "apiKey", "in": "cookie", "name": h.o.Cookie, "description": "The session of the web console. Requests that change something need its X-CSRF-Token too."}
	}
	if signIn.AuthorizationURL != "" {
		schemes["oauth2"] = members{"type": "oauth2", "flows": members{"authorizationCode": members{
			"authorizationUrl": signIn.AuthorizationURL, "tokenUrl": signIn.TokenURL, "scopes": members{signIn.Scope: "Every tool."}}}}
	}
	return schemes
}

// toolOperation is the call of one tool, typed by its schemas.
func toolOperation(t *mcp.Tool) operation {
	result := response{about: "What the tool returned.", schema: object}
	if t.OutputSchema != nil {
		result.schema = schemaOf{t.OutputSchema}
	}
	return operation{method: "POST", path: Base + "/tools/" + t.Name, id: "call-" + t.Name, tag: "tools", summary: orElse(t.Title, t.Name), details: t.Description,
		body: schemaOf{t.InputSchema}, answers: map[int]response{200: result}, problems: []int{404, 409, 413, 415, 422, 502, 504}}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// schemaOf is a schema that is there already.
type schemaOf struct{ schema any }

// describer turns operations into what the document says of them, and collects the schemas that they share.
type describer struct {
	schemas  members
	problems members // responses
	secured  []any   // the ways of signing in, any of them; empty where nobody does
	err      error
}

func (d *describer) operation(op operation) members {
	out := members{"operationId": op.id, "summary": op.summary, "tags": []any{op.tag}, "responses": d.responses(op)}
	if op.details != "" {
		out["description"] = op.details
	}
	if len(op.parameters) > 0 {
		out["parameters"] = parametersOf(op.parameters)
	}
	if op.body != nil {
		out["requestBody"] = members{"required": true, "content": members{"application/json": members{"schema": d.schema(op.body)}}}
	}
	if len(d.secured) > 0 {
		out["security"] = d.secured
	}
	return out
}

func parametersOf(all []parameter) (out []any) {
	for _, p := range all {
		out = append(out, members{"name": p.name, "in": p.in, "description": p.about, "required": p.required, "schema": p.schema})
	}
	return out
}

func (d *describer) responses(op operation) members {
	out := members{}
	for status, answer := range op.answers {
		said := members{"description": answer.about}
		if answer.schema != nil {
			said["content"] = members{orElse(answer.media, "application/json"): members{"schema": d.schema(answer.schema)}}
		}
		if len(answer.header) > 0 {
			said["headers"] = headersOf(answer.header)
		}
		out[strconv.Itoa(status)] = said
	}
	for _, status := range slices.Concat(common, op.problems) {
		out[strconv.Itoa(status)] = members{"$ref": "#/components/responses/" + d.problem(status)}
	}
	return out
}

// problem describes the problem documents of a status, once for all operations.
func (d *describer) problem(status int) (name string) {
	name = strings.ReplaceAll(http.StatusText(status), " ", "")
	d.problems[name] = members{"description": http.StatusText(status),
		"content": members{"application/problem+json": members{"schema": d.schema(Problem{})}}}
	return name
}

func headersOf(all map[string]string) members {
	out := members{}
	for name, about := range all {
		out[name] = members{"description": about, "schema": text}
	}
	return out
}

// schema describes a value's type, or passes on a schema.
func (d *describer) schema(value any) any {
	switch v := value.(type) {
	case schemaOf:
		return d.plain(v.schema)
	case map[string]any:
		return v
	}
	t := reflect.TypeOf(value)
	if t.Name() == "" {
		return d.reflected(t)
	}
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	if d.schemas[name] == nil {
		d.schemas[name] = d.reflected(t)
	}
	return members{"$ref": "#/components/schemas/" + name}
}

func (d *describer) reflected(t reflect.Type) any {
	s, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[json.RawMessage](): {},
	}})
	if err != nil {
		d.fail(err)
		return nil
	}
	return d.plain(s)
}

// plain is a schema as it is written, without what belongs to a document of its own.
func (d *describer) plain(schema any) any {
	data, err := json.Marshal(schema)
	if err != nil {
		d.fail(err)
		return nil
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		d.fail(err)
	}
	if s, is := out.(members); is {
		delete(s, "$schema")
		maps.DeleteFunc(s, func(_ string, v any) bool { return v == nil })
	}
	return out
}

func (d *describer) fail(err error) {
	if d.err == nil {
		d.err = fmt.Errorf("rest: describe: %w", err)
	}
}
