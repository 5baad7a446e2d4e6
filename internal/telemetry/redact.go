package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// redact replaces what must not be logged. It sees every attribute that is no group, the message among them.
func redact(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		if secretKey(a.Key) && a.Value.String() != "" {
			a.Value = slog.StringValue(hidden)
		} else if text := a.Value.String(); worthALook(text) {
			a.Value = slog.StringValue(Redact(text))
		}
	case slog.KindAny:
		if secretKey(a.Key) && a.Value.Any() != nil {
			a.Value = slog.StringValue(hidden)
		} else {
			a.Value = redactAny(a.Value)
		}
	}
	return a
}

// secretKey reports whether name, however it is spelled, is a name of secrets. A number under such a name is a count or
// a status and is not asked about.
func secretKey(name string) bool {
	name = strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(name))
	if slices.Contains([]string{"code", "authcode", "authorizationcode", "devicecode", "usercode", "jwt", "bearer"}, name) {
		return true
	}
	for _, end := range []string{"token", "secret", "authorization", "verifier", "assertion", "password", "cookie", "apikey", "privatekey"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

const secretNames = `access_token|refresh_token|id_token|token|subject_token|actor_token|code|code_verifier|device_code|user_code|` +
	`client_secret|client_assertion|assertion|password|state|registration_access_token|id_token_hint`

var (
	jwtLook    = regexp.MustCompile(`eyJ[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){2,4}`)
	schemeLook = regexp.MustCompile(`(?i)\b(bearer|dpop|basic)[ \t]+([A-Za-z0-9._~+/-]+=*)("?)`)
	paramLook  = regexp.MustCompile(`(?i)(^|[?&;\s"'(])(` + secretNames + `)=([^&;\s"')]+)`)
	memberLook = regexp.MustCompile(`(?i)(\\?"(?:` + secretNames + `)\\?"\s*:\s*\\?")[^"\\]+`)
)

// proseAfterScheme are words that follow the name of a scheme in a sentence.
var proseAfterScheme = []string{"token", "tokens", "scheme", "challenge", "challenges", "header", "auth", "authentication", "authorization", "credentials"}

// worthALook is a cheap test that spares most texts the expressions.
func worthALook(text string) bool {
	return strings.Contains(text, "eyJ") || strings.ContainsAny(text, "= :\t")
}

// Redact returns text without what looks like a secret: JWTs, credentials behind the name of their scheme, and the
// values of OAuth parameters in a URL, a form or JSON.
func Redact(text string) string {
	text = jwtLook.ReplaceAllString(text, hidden)
	text = schemeLook.ReplaceAllStringFunc(text, func(found string) string {
		part := schemeLook.FindStringSubmatch(found)
		// Bearer realm="…" is a challenge, and holds no secret.
		if strings.HasSuffix(part[2], "=") && part[3] != "" || slices.Contains(proseAfterScheme, strings.ToLower(part[2])) {
			return found
		}
		return part[1] + " " + hidden + part[3]
	})
	text = paramLook.ReplaceAllString(text, "${1}${2}="+hidden)
	return memberLook.ReplaceAllString(text, "${1}"+hidden)
}

// redactAny looks into a value that is no plain text.
func redactAny(v slog.Value) slog.Value {
	switch x := v.Any().(type) {
	case nil, *slog.Source:
		return v
	case error:
		return slog.StringValue(Redact(x.Error()))
	case *url.URL:
		if x == nil {
			return v
		}
		return slog.StringValue(withoutQueryValues(*x))
	case url.URL:
		return slog.StringValue(withoutQueryValues(x))
	case *http.Request:
		if x == nil || x.URL == nil {
			return v
		}
		return slog.StringValue(x.Method + " " + withoutQueryValues(*x.URL))
	case []byte:
		return slog.StringValue(Redact(string(x)))
	case fmt.Stringer:
		return slog.StringValue(Redact(safeString(x)))
	}
	body, err := json.Marshal(v.Any())
	if err != nil {
		return slog.StringValue(Redact(fmt.Sprintf("%+v", v.Any())))
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var tree any
	if decoder.Decode(&tree) != nil {
		return slog.StringValue(Redact(string(body)))
	}
	if tree, changed := redactTree(tree); changed {
		return slog.AnyValue(tree)
	}
	return v
}

// safeString asks x for its text; a nil pointer whose method cannot bear it is "<nil>".
func safeString(x fmt.Stringer) (text string) {
	defer func() {
		if recover() != nil {
			text = "<nil>"
		}
	}()
	return x.String()
}

// redactTree looks into decoded JSON, and says whether anything had to go.
func redactTree(node any) (any, bool) {
	changed := false
	switch x := node.(type) {
	case string:
		text := Redact(x)
		return text, text != x
	case []any:
		for i := range x {
			var c bool
			x[i], c = redactTree(x[i])
			changed = changed || c
		}
	case map[string]any:
		for key, value := range x {
			_, number := value.(json.Number)
			_, yes := value.(bool)
			if secretKey(key) && value != nil && value != "" && !number && !yes {
				x[key], changed = hidden, true
				continue
			}
			var c bool
			x[key], c = redactTree(value)
			changed = changed || c
		}
	}
	return node, changed
}

// withoutQueryValues is u as it may be logged.
func withoutQueryValues(u url.URL) string {
	query, user := u.RawQuery, u.User
	u.RawQuery, u.ForceQuery, u.User = "", false, nil
	text := u.String()
	if user != nil {
		text = strings.Replace(text, "://", "://"+hidden+"@", 1)
	}
	if query != "" {
		text += "?" + QueryNames(query)
	}
	return Redact(text)
}

const (
	maxQueryNames = 20
	maxQueryName  = 40
)

// QueryNames returns the raw query of a URL with "…" for each value. What is no plain name is "…" too, since a secret may
// stand there without a name.
func QueryNames(raw string) string {
	pairs := []string{}
	for pair := range strings.SplitSeq(raw, "&") {
		if len(pairs) == maxQueryNames {
			pairs = append(pairs, hidden)
			break
		}
		name, _, named := strings.Cut(pair, "=")
		switch {
		case pair == "":
		case !named || !plainName(name):
			pairs = append(pairs, hidden)
		default:
			pairs = append(pairs, name+"="+hidden)
		}
	}
	return strings.Join(pairs, "&")
}

func plainName(name string) bool {
	if name == "" || len(name) > maxQueryName || strings.HasPrefix(name, "eyJ") {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}
