package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// reading is one way to understand a time on the source's clocks.
type reading struct {
	Source         moment `json:"source"`
	Target         moment `json:"target"`
	TimeDifference string `json:"time_difference"`
}

// conversion is the answer of convert_time.
type conversion struct {
	reading
	Overlap *overlap `json:"overlap,omitempty"`
}

// overlap says that the source's clocks showed the time twice, which of the two was taken, and what the other is.
type overlap struct {
	Explanation string  `json:"explanation"`
	Taken       string  `json:"taken"`
	Other       reading `json:"other"`
}

func convertTimeOutput() *jsonschema.Schema {
	members := func() (map[string]*jsonschema.Schema, []string) {
		return map[string]*jsonschema.Schema{
			"source":          momentSchema("The moment on the source's clocks."),
			"target":          momentSchema("The same moment on the target's clocks."),
			"time_difference": text("How many hours the target's clocks are ahead of the source's at that moment, such as +14.0h or +5.75h."),
		}, []string{"source", "target", "time_difference"}
	}
	properties, order := members()
	other, otherOrder := members()
	otherReading := object(other, otherOrder, otherOrder...)
	otherReading.Description = "The conversion if the second time is meant."
	twice := object(map[string]*jsonschema.Schema{
		"explanation": text("When and how the clocks are put back."),
		"taken":       {Type: "string", Enum: []any{"first"}, Description: "Which of the two times source and target stand for: the first, before the clocks are put back."},
		"other":       otherReading,
	}, []string{"explanation", "taken", "other"}, "explanation", "taken", "other")
	twice.Description = "Present only when the source's clocks show the time twice that day, because they are put back."
	properties["overlap"] = twice
	return object(properties, append(order, "overlap"), order...)
}

// convertTime returns convert_time.
//
// A time that the clocks skip has no moment, so none is made up: the answer is an error that names the gap and the time
// to ask for instead. A time that the clocks show twice is answered with both moments.
func convertTime(now func() time.Time) Tool {
	return Tool{
		Definition: &mcp.Tool{
			Name:  "convert_time",
			Title: "Convert time",
			Description: "Converts a time of day from one time zone to another. " +
				"A time that the clocks skip for daylight saving is refused with the time to use instead; a time they show twice is answered with both readings.",
			Annotations: hint("Convert time"),
			InputSchema: document(object(map[string]*jsonschema.Schema{
				"source_timezone": zoneSchema("The IANA name of the zone the time is given in, such as America/New_York."),
				"time":            text("The time on the source's clocks, HH:MM in 24 hours."),
				"target_timezone": zoneSchema("The IANA name of the zone to convert to, such as Asia/Tokyo."),
				"date":            text("The date on the source's calendar, YYYY-MM-DD. Without it, today there."),
			}, []string{"source_timezone", "time", "target_timezone", "date"}, "source_timezone", "time", "target_timezone")),
			OutputSchema: document(convertTimeOutput()),
		},
		Call: func(ctx context.Context, arguments json.RawMessage, _ func(done, total float64, message string)) (*mcp.CallToolResult, error) {
			var in struct {
				SourceTimezone string  `json:"source_timezone"`
				Time           string  `json:"time"`
				TargetTimezone string  `json:"target_timezone"`
				Date           *string `json:"date"`
			}
			if err := json.Unmarshal(arguments, &in); err != nil {
				return refusal("convert_time takes an object with the strings %q, %q, %q and, optionally, %q", "source_timezone", "time", "target_timezone", "date")
			}
			source, err := zone("source_timezone", in.SourceTimezone)
			if err == nil {
				var target *time.Location
				if target, err = zone("target_timezone", in.TargetTimezone); err == nil {
					return convert(source, target, in.Time, in.Date, now())
				}
			}
			var unknown *unknownZone
			if errors.As(err, &unknown) {
				return refusal("%v", unknown)
			}
			return nil, err
		},
	}
}

func convert(source, target *time.Location, timeOfDay string, date *string, now time.Time) (*mcp.CallToolResult, error) {
	hour, minute, ok := clock(timeOfDay)
	if !ok {
		return refusal("%q must be a time as HH:MM in 24 hours, such as 09:30", "time")
	}
	year, month, day := now.In(source).Date()
	if date != nil {
		d, err := time.Parse(time.DateOnly, *date)
		if err != nil {
			return refusal("%q must be a date that exists, as YYYY-MM-DD, such as 2026-03-29", "date")
		}
		year, month, day = d.Date()
	}
	wall := time.Date(year, month, day, hour, minute, 0, 0, time.UTC)
	moments, change := read(wall, source)
	switch len(moments) {
	case 0:
		return refusal("%s", skipped(wall, change, source))
	case 1:
		return answer(conversion{reading: readingOf(moments[0], source, target)})
	default:
		return answer(conversion{
			reading: readingOf(moments[0], source, target),
			Overlap: &overlap{
				Explanation: shownTwice(wall, change, source),
				Taken:       "first",
				Other:       readingOf(moments[1], source, target),
			},
		})
	}
}

// clock reads HH:MM.
func clock(s string) (hour, minute int, ok bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, 0, false
	}
	for _, i := range []int{0, 1, 3, 4} {
		if s[i] < '0' || s[i] > '9' {
			return 0, 0, false
		}
	}
	hour, minute = int(s[0]-'0')*10+int(s[1]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
	return hour, minute, hour < 24 && minute < 60
}

// change is a moment at which a zone's offset from UTC changes.
type change struct {
	at            time.Time
	before, after int // seconds east of UTC
}

// read returns the moments at which loc's clocks show wall, a time written down in UTC: one as a rule, none if they
// skip it, two if they show it twice; and in the last two cases the change that is the reason.
func read(wall time.Time, loc *time.Location) (moments []time.Time, why change) {
	// No zone is or was 16 hours or more from UTC, but for one that skipped a day while it was nearly so.
	const far = 40 * time.Hour
	at := wall.Add(-far).In(loc)
	for {
		_, offset := at.Zone()
		start, end := at.ZoneBounds()
		candidate := wall.Add(-time.Duration(offset) * time.Second)
		if (start.IsZero() || !candidate.Before(start)) && (end.IsZero() || candidate.Before(end)) {
			moments = append(moments, candidate)
		}
		if end.IsZero() || end.After(wall.Add(far)) {
			return moments, why
		}
		_, next := end.Zone()
		// The clocks jump from the wall time first to second; wall is skipped or shown twice if it lies between them.
		first, second := wallAt(end, offset), wallAt(end, next)
		if !wall.Before(first) && wall.Before(second) || !wall.Before(second) && wall.Before(first) {
			why = change{at: end, before: offset, after: next}
		}
		at = end
	}
}

// wallAt returns what clocks at this offset show at t, written down in UTC.
func wallAt(t time.Time, offset int) time.Time {
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

func readingOf(t time.Time, source, target *time.Location) reading {
	_, from := t.In(source).Zone()
	_, to := t.In(target).Zone()
	return reading{Source: momentOf(t, source), Target: momentOf(t, target), TimeDifference: hours(to - from)}
}

// hours writes seconds as signed hours with at least one and at most two decimals.
func hours(seconds int) string {
	h := float64(seconds) / 3600
	s := strconv.FormatFloat(h, 'f', 2, 64)
	s = strings.TrimSuffix(s, "0")
	if seconds >= 0 {
		s = "+" + s
	}
	return s + "h"
}

// skipped explains a time that does not exist, and what to ask for instead.
func skipped(wall time.Time, c change, loc *time.Location) string {
	first, second := wallAt(c.at, c.before), wallAt(c.at, c.after)
	moved := wall.Add(second.Sub(first))
	return fmt.Sprintf("%s does not exist in %s: the clocks go forward from %s to %s there (UTC%s to UTC%s). The time as far after the change is %s; ask for that if you mean it",
		on(wall), loc, on(first), on(second), offset(c.before), offset(c.after), on(moved))
}

// shownTwice explains a time that the clocks show twice.
func shownTwice(wall time.Time, c change, loc *time.Location) string {
	first, second := wallAt(c.at, c.before), wallAt(c.at, c.after)
	return fmt.Sprintf("%s comes twice in %s: the clocks go back from %s to %s there (UTC%s to UTC%s). The first was taken; the other is the second",
		on(wall), loc, on(first), on(second), offset(c.before), offset(c.after))
}

func on(wall time.Time) string { return wall.Format("15:04 on 2006-01-02") }

// offset writes seconds east of UTC as +02:00.
func offset(seconds int) string {
	layout := "-07:00"
	if seconds%60 != 0 {
		layout = "-07:00:00"
	}
	return time.Unix(0, 0).In(time.FixedZone("", seconds)).Format(layout)
}
