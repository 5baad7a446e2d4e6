package tools_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/internal/tools"
)

// at returns a clock that stands.
func at(year int, month time.Month, day, hour, minute int) func() time.Time {
	return func() time.Time { return time.Date(year, month, day, hour, minute, 0, 0, time.UTC) }
}

func TestCurrentTime(t *testing.T) {
	for _, row := range []struct {
		name, timezone string
		now            func() time.Time
		want           string
		dst            bool
	}{
		{"in summer the clocks are ahead", "Europe/Berlin", at(2026, 7, 1, 12, 0), "2026-07-01T14:00:00+02:00", true},
		{"in winter they are not", "Europe/Berlin", at(2026, 1, 1, 12, 0), "2026-01-01T13:00:00+01:00", false},
		{"a zone may be off by three quarters of an hour", "Asia/Kathmandu", at(2026, 1, 1, 12, 0), "2026-01-01T17:45:00+05:45", false},
		{"UTC is a zone", "UTC", at(2026, 1, 1, 12, 0), "2026-01-01T12:00:00+00:00", false},
		{"an old name is a zone", "US/Pacific", at(2026, 1, 1, 12, 0), "2026-01-01T04:00:00-08:00", false},
		{"it may be another day", "Pacific/Kiritimati", at(2026, 12, 31, 12, 0), "2027-01-01T02:00:00+14:00", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, refused := call(t, find(t, "get_current_time", tools.Options{Now: row.now}), `{"timezone":"`+row.timezone+`"}`)
			if refused != "" || got["datetime"] != row.want || got["is_dst"] != row.dst || got["timezone"] != row.timezone {
				t.Errorf("got %v %s", got, refused)
			}
		})
	}
}

func TestUnknownZones(t *testing.T) {
	for _, row := range []struct{ name, asked, near string }{
		{"another case finds the name", "europe/berlin", "Europe/Berlin"},
		{"a space finds the name", "America/New York", "America/New_York"},
		{"a city alone finds its zone", "Tokyo", "Asia/Tokyo"},
		{"a city of the wrong continent finds its zone", "Europe/Tokyo", "Asia/Tokyo"},
		{"a typing error finds the name", "Asia/Tokio", "Asia/Tokyo"},
		{"a city in two parts finds its zone", "Buenos Aires", "America/Argentina/Buenos_Aires"},
		{"the machine's own zone is none", "Local", "time://timezones"},
		{"nothing is no zone", "", "time://timezones"},
		{"a path is no zone", "../etc/passwd", "time://timezones"},
		{"the placeholder of the database is none", "Factory", ""},
		{"nonsense points at the list", "Qwertzuiop/Asdfghjkl", "time://timezones"},
	} {
		t.Run(row.name, func(t *testing.T) {
			arguments, err := json.Marshal(map[string]string{"timezone": row.asked})
			if err != nil {
				t.Fatal(err)
			}
			_, refused := call(t, find(t, "get_current_time", tools.Options{}), string(arguments))
			if !strings.HasPrefix(refused, `"timezone" is "`+row.asked+`", which is not an IANA time zone name`) || !strings.Contains(refused, row.near) {
				t.Errorf("got %q", refused)
			}
		})
	}
	t.Run("a long name is not said back whole", func(t *testing.T) {
		_, refused := call(t, find(t, "get_current_time", tools.Options{}), `{"timezone":"`+strings.Repeat("x", 100_000)+`"}`)
		if len(refused) > 300 {
			t.Errorf("got %d bytes", len(refused))
		}
	})
	t.Run("the argument is named", func(t *testing.T) {
		_, refused := call(t, find(t, "convert_time", tools.Options{}), `{"source_timezone":"UTC","time":"10:00","target_timezone":"Berlin"}`)
		if refused != `"target_timezone" is "Berlin", which is not an IANA time zone name; did you mean Europe/Berlin?` {
			t.Errorf("got %q", refused)
		}
	})
}

func TestConvertTime(t *testing.T) {
	for _, row := range []struct{ name, source, time, target, date, from, to, difference string }{
		{"west to east", "America/New_York", "09:30", "Asia/Tokyo", "2026-01-15", "2026-01-15T09:30:00-05:00", "2026-01-15T23:30:00+09:00", "+14.0h"},
		{"east to west", "Asia/Tokyo", "09:30", "America/New_York", "2026-01-15", "2026-01-15T09:30:00+09:00", "2026-01-14T19:30:00-05:00", "-14.0h"},
		{"three quarters of an hour", "UTC", "00:00", "Asia/Kathmandu", "2026-01-15", "2026-01-15T00:00:00+00:00", "2026-01-15T05:45:00+05:45", "+5.75h"},
		{"half an hour", "UTC", "23:59", "Asia/Kolkata", "2026-01-15", "2026-01-15T23:59:00+00:00", "2026-01-16T05:29:00+05:30", "+5.5h"},
		{"to the same zone", "Europe/Berlin", "12:00", "Europe/Berlin", "2026-07-15", "2026-07-15T12:00:00+02:00", "2026-07-15T12:00:00+02:00", "+0.0h"},
		{"between two zones that change on other days", "America/New_York", "12:00", "Europe/Berlin", "2026-03-15", "2026-03-15T12:00:00-04:00", "2026-03-15T17:00:00+01:00", "+5.0h"},
		{"without a date, today on the source's calendar", "Pacific/Kiritimati", "01:00", "UTC", "", "2027-01-01T01:00:00+14:00", "2026-12-31T11:00:00+00:00", "-14.0h"},
		{"a leap day", "UTC", "12:00", "Asia/Tokyo", "2028-02-29", "2028-02-29T12:00:00+00:00", "2028-02-29T21:00:00+09:00", "+9.0h"},
		{"local mean time of long ago", "Europe/Berlin", "12:00", "UTC", "1850-01-01", "1850-01-01T12:00:00+00:53:28", "1850-01-01T11:06:32+00:00", "-0.89h"},
		{"the last minute before a gap", "Europe/Berlin", "01:59", "UTC", "2026-03-29", "2026-03-29T01:59:00+01:00", "2026-03-29T00:59:00+00:00", "-1.0h"},
		{"the first minute after a gap", "Europe/Berlin", "03:00", "UTC", "2026-03-29", "2026-03-29T03:00:00+02:00", "2026-03-29T01:00:00+00:00", "-2.0h"},
		{"the first minute after an overlap", "Europe/Berlin", "03:00", "UTC", "2026-10-25", "2026-10-25T03:00:00+01:00", "2026-10-25T02:00:00+00:00", "-1.0h"},
	} {
		t.Run(row.name, func(t *testing.T) {
			in := map[string]string{"source_timezone": row.source, "time": row.time, "target_timezone": row.target}
			if row.date != "" {
				in["date"] = row.date
			}
			arguments, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			got, refused := call(t, find(t, "convert_time", tools.Options{Now: at(2026, 12, 31, 12, 0)}), string(arguments))
			if refused != "" {
				t.Fatal(refused)
			}
			source, target := got["source"].(map[string]any), got["target"].(map[string]any)
			if source["datetime"] != row.from || target["datetime"] != row.to || got["time_difference"] != row.difference {
				t.Errorf("got %v", got)
			}
			if source["timezone"] != row.source || target["timezone"] != row.target || got["overlap"] != nil {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestConvertTimeInAGap(t *testing.T) {
	for _, row := range []struct{ name, zone, time, date, want string }{
		{"an hour is skipped in spring", "Europe/Berlin", "02:30", "2026-03-29",
			"02:30 on 2026-03-29 does not exist in Europe/Berlin: the clocks go forward from 02:00 on 2026-03-29 to 03:00 on 2026-03-29 there (UTC+01:00 to UTC+02:00). The time as far after the change is 03:30 on 2026-03-29; ask for that if you mean it"},
		{"the first skipped minute", "America/New_York", "02:00", "2026-03-08",
			"02:00 on 2026-03-08 does not exist in America/New_York: the clocks go forward from 02:00 on 2026-03-08 to 03:00 on 2026-03-08 there (UTC-05:00 to UTC-04:00). The time as far after the change is 03:00 on 2026-03-08; ask for that if you mean it"},
		{"half an hour is skipped", "Australia/Lord_Howe", "02:15", "2026-10-04",
			"02:15 on 2026-10-04 does not exist in Australia/Lord_Howe: the clocks go forward from 02:00 on 2026-10-04 to 02:30 on 2026-10-04 there (UTC+10:30 to UTC+11:00). The time as far after the change is 02:45 on 2026-10-04; ask for that if you mean it"},
		{"a whole day is skipped", "Pacific/Apia", "12:00", "2011-12-30",
			"12:00 on 2011-12-30 does not exist in Pacific/Apia: the clocks go forward from 00:00 on 2011-12-30 to 00:00 on 2011-12-31 there (UTC-10:00 to UTC+14:00). The time as far after the change is 12:00 on 2011-12-31; ask for that if you mean it"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, refused := call(t, find(t, "convert_time", tools.Options{}), `{"source_timezone":"`+row.zone+`","time":"`+row.time+`","target_timezone":"UTC","date":"`+row.date+`"}`)
			if refused != row.want {
				t.Errorf("got  %s\nwant %s", refused, row.want)
			}
		})
	}
}

func TestConvertTimeInAnOverlap(t *testing.T) {
	got, refused := call(t, find(t, "convert_time", tools.Options{}), `{"source_timezone":"Europe/Berlin","time":"02:30","target_timezone":"UTC","date":"2026-10-25"}`)
	if refused != "" {
		t.Fatal(refused)
	}
	overlap, _ := got["overlap"].(map[string]any)
	if overlap == nil {
		t.Fatalf("the overlap is not told: %v", got)
	}
	other := overlap["other"].(map[string]any)
	for _, row := range []struct {
		what      string
		got, want any
	}{
		{"the first source", got["source"].(map[string]any)["datetime"], "2026-10-25T02:30:00+02:00"},
		{"the first is in summer time", got["source"].(map[string]any)["is_dst"], true},
		{"the first target", got["target"].(map[string]any)["datetime"], "2026-10-25T00:30:00+00:00"},
		{"the first difference", got["time_difference"], "-2.0h"},
		{"which was taken", overlap["taken"], "first"},
		{"the second source", other["source"].(map[string]any)["datetime"], "2026-10-25T02:30:00+01:00"},
		{"the second target", other["target"].(map[string]any)["datetime"], "2026-10-25T01:30:00+00:00"},
		{"the second difference", other["time_difference"], "-1.0h"},
		{"why", overlap["explanation"], "02:30 on 2026-10-25 comes twice in Europe/Berlin: the clocks go back from 03:00 on 2026-10-25 to 02:00 on 2026-10-25 there (UTC+02:00 to UTC+01:00). The first was taken; the other is the second"},
	} {
		if row.got != row.want {
			t.Errorf("%s is %v, want %v", row.what, row.got, row.want)
		}
	}
}

func TestConvertTimeRefuses(t *testing.T) {
	for _, row := range []struct{ name, time, date, want string }{
		{"an hour of one digit", "9:30", "2026-01-01", `"time" must be a time as HH:MM`},
		{"the hour 24", "24:00", "2026-01-01", `"time" must be a time as HH:MM`},
		{"the minute 60", "10:60", "2026-01-01", `"time" must be a time as HH:MM`},
		{"seconds", "10:00:00", "2026-01-01", `"time" must be a time as HH:MM`},
		{"other digits", "１0:00", "2026-01-01", `"time" must be a time as HH:MM`},
		{"a sign", "+1:00", "2026-01-01", `"time" must be a time as HH:MM`},
		{"a date that does not exist", "10:00", "2026-02-30", `"date" must be a date that exists`},
		{"a date in another order", "10:00", "01.02.2026", `"date" must be a date that exists`},
		{"an empty date", "10:00", "", `"date" must be a date that exists`},
	} {
		t.Run(row.name+" is refused", func(t *testing.T) {
			_, refused := call(t, find(t, "convert_time", tools.Options{}), `{"source_timezone":"UTC","time":"`+row.time+`","target_timezone":"UTC","date":"`+row.date+`"}`)
			if !strings.HasPrefix(refused, row.want) {
				t.Errorf("got %q", refused)
			}
		})
	}
}

// TestEveryMinuteHasItsReadings holds the conversion against the clocks of a whole year: what a zone's clocks show is
// read back as that moment.
func TestEveryMinuteHasItsReadings(t *testing.T) {
	tool := find(t, "convert_time", tools.Options{})
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for moment := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); moment.Year() == 2026; moment = moment.Add(37 * time.Minute) {
		wall := moment.In(loc)
		got, refused := call(t, tool, `{"source_timezone":"Europe/Berlin","time":"`+wall.Format("15:04")+`","target_timezone":"UTC","date":"`+wall.Format(time.DateOnly)+`"}`)
		if refused != "" {
			t.Fatalf("%v: %s", wall, refused)
		}
		want := moment.Format("2006-01-02T15:04:05-07:00")
		found := got["target"].(map[string]any)["datetime"] == want
		if overlap, twice := got["overlap"].(map[string]any); twice {
			found = found || overlap["other"].(map[string]any)["target"].(map[string]any)["datetime"] == want
		}
		if !found {
			t.Fatalf("%v was read as %v", wall, got)
		}
	}
}
