package audit

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// line is e as one line of JSON, as encoding/json writes it. It stands in the way of every call, twice, so it is written
// by hand; a test holds it against encoding/json.
func line(e Event) []byte { return append(appendEvent(make([]byte, 0, 512), e), '\n') }

func appendEvent(b []byte, e Event) []byte {
	b = append(b, `{"time":"`...)
	b = e.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(b, '"')
	b = appendText(b, "event", string(e.Kind))
	b = appendMember(b, "request_id", e.RequestID)
	b = appendMember(b, "trace_id", e.TraceID)
	b = appendMember(b, "address", e.Address)
	if p := e.Principal; p != nil {
		b = append(b, `,"principal":{"issuer":`...)
		b = quote(b, p.Issuer)
		b = appendMember(b, "tenant", p.Tenant)
		b = appendMember(b, "object_id", p.ObjectID)
		b = appendMember(b, "subject", p.Subject)
		b = appendText(b, "kind", string(p.Kind))
		b = append(b, '}')
	}
	b = appendMember(b, "client", e.Client)
	b = appendMember(b, "tool", e.Tool)
	b = appendText(b, "decision", string(e.Decision))
	b = appendMember(b, "rule", e.Rule)
	b = appendMember(b, "arguments_hash", e.Arguments)
	if o := e.Outcome; o != nil {
		b = append(b, `,"outcome":{"result":`...)
		b = quote(b, o.Result)
		b = append(b, `,"duration_us":`...)
		b = strconv.AppendInt(b, o.Micros, 10)
		b = append(b, `,"result_bytes":`...)
		b = strconv.AppendInt(b, o.Bytes, 10)
		b = append(b, '}')
	}
	return append(b, '}')
}

// appendMember writes a member that is absent where it would be empty.
func appendMember(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendText(b, name, value)
}

func appendText(b []byte, name, value string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return quote(b, value)
}

const hexDigits = "0123456789abcdef"

// quote writes s as a JSON string that is safe in HTML and in JavaScript too.
func quote(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
			i++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
			if r != '\u2028' && r != '\u2029' && (r != utf8.RuneError || size > 1) {
				i += size
				continue
			}
		}
		b = append(b, s[from:i]...)
		b = escape(b, r)
		i += size
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

func escape(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
