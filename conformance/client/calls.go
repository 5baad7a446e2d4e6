package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/client"
)

// calls is what the scenario wants to see done.
func (s *scenario) calls() func(context.Context, *client.Session) error {
	switch s.name {
	case "tools_call":
		return call("add_numbers", map[string]any{"a": 5, "b": 3})
	case "elicitation-sep1034-client-defaults":
		return call("test_client_elicitation_defaults", nil)
	case "sse-retry":
		return call("test_reconnection", nil)
	case "sep-2322-client-request-state":
		return rounds
	case "json-schema-2020-12-preservation":
		return echoSchema
	case "http-standard-headers":
		return everything
	case "http-custom-headers":
		return s.givenCalls
	case "http-invalid-tool-headers":
		return everyTool
	case "initialize", "request-metadata", "json-schema-ref-no-deref":
		return list
	}
	return call("test-tool", nil)
}

func list(ctx context.Context, s *client.Session) error {
	_, err := s.Tools(ctx)
	return err
}

// call looks a tool up and calls it.
func call(name string, arguments map[string]any) func(context.Context, *client.Session) error {
	return func(ctx context.Context, s *client.Session) error {
		tools, err := s.Tools(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(tools, func(t *mcp.Tool) bool { return t.Name == name }) {
			return fmt.Errorf("the server has no tool %q", name)
		}
		_, err = s.Call(ctx, name, arguments, nil)
		return err
	}
}

// rounds calls tools that want input, one of which answers as no server may.
func rounds(ctx context.Context, s *client.Session) error {
	for _, name := range []string{"test_mrtr_echo_state", "test_mrtr_no_state", "test_mrtr_unrelated", "test_mrtr_no_result_type"} {
		if _, err := s.Call(ctx, name, nil, nil); err != nil {
			fmt.Printf("%s: %v\n", name, err)
		}
	}
	return nil
}

// answer accepts whatever a server asks of the person: forms with the one word that the suite wants, else as they stand.
func answer(_ context.Context, q client.Question) (any, error) {
	if q.Method != client.MethodElicit {
		return nil, errors.New("there is no language model here")
	}
	var asked struct {
		Schema struct {
			Properties map[string]json.RawMessage `json:"properties"`
		} `json:"requestedSchema"`
	}
	if err := json.Unmarshal(q.Params, &asked); err != nil {
		return nil, err
	}
	content := map[string]any{}
	if _, confirms := asked.Schema.Properties["confirmed"]; confirms {
		content["confirmed"] = true
	}
	return map[string]any{"action": "accept", "content": content}, nil
}

// echoSchema sends a tool's schema back as it came.
func echoSchema(ctx context.Context, s *client.Session) error {
	tools, err := s.Tools(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(tools, func(t *mcp.Tool) bool { return t.Name == "json_schema_2020_12_tool" })
	if i < 0 {
		return errors.New("the server has no tool with the schema")
	}
	_, err = s.Call(ctx, "json_schema_echo", map[string]any{"schema": tools[i].InputSchema}, nil)
	return err
}

// everything asks once for each kind of thing.
func everything(ctx context.Context, s *client.Session) error {
	tools, err := s.Tools(ctx)
	if err == nil && len(tools) > 0 {
		_, err = s.Call(ctx, tools[0].Name, nil, nil)
	}
	resources, listing := s.Resources(ctx)
	err = errors.Join(err, listing)
	if len(resources) > 0 {
		_, reading := s.Read(ctx, resources[0].URI)
		err = errors.Join(err, reading)
	}
	prompts, listing := s.Prompts(ctx)
	err = errors.Join(err, listing)
	if len(prompts) > 0 {
		_, getting := s.Prompt(ctx, prompts[0].Name, nil)
		err = errors.Join(err, getting)
	}
	return err
}

// givenCalls makes the calls that the suite lists.
func (s *scenario) givenCalls(ctx context.Context, session *client.Session) error {
	if err := list(ctx, session); err != nil {
		return err
	}
	for _, c := range s.context.ToolCalls {
		if _, err := session.Call(ctx, c.Name, c.Arguments, nil); err != nil {
			fmt.Printf("%s: %v\n", c.Name, err)
		}
	}
	return nil
}

// everyTool calls each tool that is left of the list: those with faulty headers must not be.
func everyTool(ctx context.Context, s *client.Session) error {
	tools, err := s.Tools(ctx)
	if err != nil {
		return err
	}
	for _, t := range tools {
		if _, err := s.Call(ctx, t.Name, map[string]any{"region": "us-west1"}, nil); err != nil {
			fmt.Printf("%s: %v\n", t.Name, err)
		}
	}
	return nil
}
