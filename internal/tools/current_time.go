package tools

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// moment is a point in time as one zone's clocks show it.
type moment struct {
	Timezone string `json:"timezone"`
	Datetime string `json:"datetime"`
	IsDST    bool   `json:"is_dst"`
}

// momentOf returns t as loc's clocks show it.
func momentOf(t time.Time, loc *time.Location) moment {
	t = t.In(loc)
	layout := "2006-01-02T15:04:05-07:00"
	if _, offset := t.Zone(); offset%60 != 0 {
		layout = "2006-01-02T15:04:05-07:00:00" // local mean time, before zones were agreed on
	}
	return moment{Timezone: loc.String(), Datetime: t.Format(layout), IsDST: t.IsDST()}
}

// momentSchema is the schema of a moment.
func momentSchema(description string) *jsonschema.Schema {
	s := object(map[string]*jsonschema.Schema{
		"timezone": text("The IANA name of the zone."),
		"datetime": text("Date and time on that zone's clocks, with the offset from UTC, such as 2026-03-01T09:30:00+01:00."),
		"is_dst":   {Type: "boolean", Description: "Whether daylight-saving time is in force there and then."},
	}, []string{"timezone", "datetime", "is_dst"}, "timezone", "datetime", "is_dst")
	s.Description = description
	return s
}

func zoneSchema(description string) *jsonschema.Schema {
	s := text(description)
	s.MinLength = jsonschema.Ptr(1)
	s.MaxLength = jsonschema.Ptr(64)
	return s
}

// currentTime returns get_current_time.
func currentTime(now func() time.Time) Tool {
	return Tool{
		Definition: &mcp.Tool{
			Name:        "get_current_time",
			Title:       "Current time",
			Description: "Tells the date and time in a time zone now.",
			Annotations: hint("Current time"),
			InputSchema: document(object(map[string]*jsonschema.Schema{
				"timezone": zoneSchema("The IANA name of the zone, such as Europe/Berlin or UTC."),
			}, []string{"timezone"}, "timezone")),
			OutputSchema: document(momentSchema("")),
		},
		Call: func(ctx context.Context, arguments json.RawMessage, _ func(done, total float64, message string)) (*mcp.CallToolResult, error) {
			var in struct {
				Timezone string `json:"timezone"`
			}
			if err := json.Unmarshal(arguments, &in); err != nil {
				return refusal("get_current_time takes an object with the zone's name as %q", "timezone")
			}
			loc, err := zone("timezone", in.Timezone)
			var unknown *unknownZone
			if errors.As(err, &unknown) {
				return refusal("%v", unknown)
			}
			if err != nil {
				return nil, err
			}
			return answer(momentOf(now(), loc))
		},
	}
}
