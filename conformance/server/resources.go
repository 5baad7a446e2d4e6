package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

const watchedURI = "test://watched-resource"

func resources() []toolbox.Resource {
	return []toolbox.Resource{
		resource("test://static-text", "text/plain", &mcp.ResourceContents{Text: "This is the content of the static text resource."}),
		resource("test://static-binary", "image/png", &mcp.ResourceContents{Blob: pixel}),
		resource(watchedURI, "text/plain", &mcp.ResourceContents{Text: "This resource changes every three seconds."}),
	}
}

func resource(uri, mimeType string, contents *mcp.ResourceContents) toolbox.Resource {
	contents.URI, contents.MIMEType = uri, mimeType
	return toolbox.Resource{
		Definition: &mcp.Resource{URI: uri, Name: uri, Description: "a resource that never differs", MIMEType: mimeType},
		Read:       func(context.Context) ([]*mcp.ResourceContents, error) { return []*mcp.ResourceContents{contents}, nil },
	}
}

func templates() []toolbox.Template {
	return []toolbox.Template{{
		Definition: &mcp.ResourceTemplate{URITemplate: "test://template/{id}/data", Name: "data", Description: "data by its id", MIMEType: "application/json"},
		Read: func(_ context.Context, uri string, variables map[string]string) ([]*mcp.ResourceContents, error) {
			data, err := json.Marshal(map[string]any{"id": variables["id"], "templateTest": true, "data": "Data for ID: " + variables["id"]})
			if err != nil {
				return nil, err
			}
			return []*mcp.ResourceContents{{URI: uri, MIMEType: "application/json", Text: string(data)}}, nil
		},
	}}
}

// changeResource says every three seconds that the watched resource has changed, until ctx ends.
func changeResource(ctx context.Context, handler *mcpserver.Handler) {
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			handler.ResourceUpdated(ctx, watchedURI)
		}
	}
}
