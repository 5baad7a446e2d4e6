package openai_test

import (
	"fmt"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
	"github.com/fastmcp-auth/fastmcp-auth/agent/openai"
)

func ExampleNew() {
	model, err := openai.New(openai.Config{URL: "http://127.0.0.1:11434/v1", Model: "llama3.2"})
	if err != nil {
		panic(err)
	}
	a, err := agent.New(agent.Options{Model: model}) // Options.Tools says what it may call
	fmt.Println(a != nil, err)
	// Output: true <nil>
}
