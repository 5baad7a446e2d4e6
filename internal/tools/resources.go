package tools

import (
	"context"
	"encoding/json"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// currentTimeResource returns time://current.
func currentTimeResource(now func() time.Time) Resource {
	const uri = "time://current"
	return Resource{
		Definition: &mcp.Resource{
			URI: uri, Name: "current_time", Title: "Current time in UTC", MIMEType: "application/json",
			Description: "The date and time now, in UTC.",
		},
		Read: func(ctx context.Context) ([]*mcp.ResourceContents, error) {
			return contents(uri, momentOf(now(), time.UTC))
		},
	}
}

// timezonesResource returns time://timezones.
func timezonesResource() Resource {
	const uri = "time://timezones"
	return Resource{
		Definition: &mcp.Resource{
			URI: uri, Name: "timezones", Title: "Time zones", MIMEType: "application/json",
			Description: "The IANA names of all time zones the time tools know, sorted.",
		},
		Read: func(ctx context.Context) ([]*mcp.ResourceContents, error) {
			z, err := allZones()
			if err != nil {
				return nil, err
			}
			return contents(uri, map[string][]string{"timezones": z.names})
		},
	}
}

func contents(uri string, of any) ([]*mcp.ResourceContents, error) {
	raw, err := json.Marshal(of)
	if err != nil {
		return nil, err
	}
	return []*mcp.ResourceContents{{URI: uri, MIMEType: "application/json", Text: string(raw)}}, nil
}
