package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

const contextForm = `{"type":"object","properties":{"context":{"type":"string"}},"required":["context"]}`

type get func(arguments map[string]string, c *toolbox.Client) *mcp.GetPromptResult

func prompts() []toolbox.Prompt {
	withArguments := prompt("test_prompt_with_arguments", "repeats its arguments", func(a map[string]string, _ *toolbox.Client) *mcp.GetPromptResult {
		return messages(text(fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", a["arg1"], a["arg2"])))
	}, "arg1", "arg2")
	withArguments.Complete = suggest
	return []toolbox.Prompt{
		withArguments,
		prompt("test_simple_prompt", "says one thing", func(map[string]string, *toolbox.Client) *mcp.GetPromptResult {
			return messages(text("This is a simple prompt for testing."))
		}),
		prompt("test_prompt_with_embedded_resource", "shows a resource", func(a map[string]string, _ *toolbox.Client) *mcp.GetPromptResult {
			return messages(embedded(a["resourceUri"], "text/plain", "Embedded resource content for testing."),
				text("Please process the embedded resource above."))
		}, "resourceUri"),
		prompt("test_prompt_with_image", "shows an image", func(map[string]string, *toolbox.Client) *mcp.GetPromptResult {
			return messages(&mcp.ImageContent{Data: pixel, MIMEType: "image/png"}, text("Please analyze the image above."))
		}),
		prompt("test_input_required_result_prompt", "asks for its context", func(_ map[string]string, c *toolbox.Client) *mcp.GetPromptResult {
			if about, is := filled(c, "user_context", "context"); is {
				return messages(text(fmt.Sprintf("The context is: %v", about)))
			}
			return &mcp.GetPromptResult{InputRequests: mcp.InputRequestMap{"user_context": elicit("What context should the prompt use?", contextForm)}}
		}),
	}
}

// prompt is a prompt all of whose arguments are required.
func prompt(name, description string, f get, arguments ...string) toolbox.Prompt {
	p := toolbox.Prompt{
		Definition: &mcp.Prompt{Name: name, Description: description},
		Get: func(_ context.Context, arguments map[string]string, c *toolbox.Client) (*mcp.GetPromptResult, error) {
			return f(arguments, c), nil
		},
	}
	for _, a := range arguments {
		p.Definition.Arguments = append(p.Definition.Arguments, &mcp.PromptArgument{Name: a, Description: "is repeated", Required: true})
	}
	return p
}

func messages(content ...mcp.Content) *mcp.GetPromptResult {
	result := &mcp.GetPromptResult{}
	for _, c := range content {
		result.Messages = append(result.Messages, &mcp.PromptMessage{Role: "user", Content: c})
	}
	return result
}

// suggest knows three words.
func suggest(_ context.Context, _, value string, _ map[string]string) ([]string, error) {
	var found []string
	for _, word := range []string{"paris", "park", "party"} {
		if strings.HasPrefix(word, value) {
			found = append(found, word)
		}
	}
	return found, nil
}
