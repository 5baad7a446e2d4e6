package app

import (
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tools"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// ToolNames lists the tools a server has, for checking settings that name one.
func ToolNames() []string {
	var names []string
	for _, t := range tools.All(tools.Options{}) {
		names = append(names, t.Definition.Name)
	}
	return names
}

// newBox puts the built-in tools behind the policy.
func newBox(s *config.Settings, p *policy.Policy, o Options, record toolbox.Audit) (*toolbox.Box, error) {
	options := toolbox.Options{Policy: p, Audit: record,
		MaxRunning: int(s.Limits.Calls), MaxRunningPerCaller: int(s.Limits.CallerCalls), MaxResult: s.Limits.Result, CallTimeout: s.Limits.CallTimeout,
		Now: o.Now, Logger: o.Logger}
	built := tools.Options{ReverseDuration: s.Reverse.Duration, Now: o.Now}
	for _, t := range tools.All(built) {
		options.Tools = append(options.Tools, toolbox.Tool(t))
	}
	for _, r := range tools.Resources(built) {
		options.Resources = append(options.Resources, toolbox.Resource(r))
	}
	return toolbox.New(options)
}
