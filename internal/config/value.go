package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxValue = 8 << 10 // bytes of one value
	maxItems = 256     // items of one list, or tools of one table
)

var errEmpty = errors.New("is empty; give a value, or leave it out")

// parse reads what was typed in a flag, a variable or a scalar of the file. Only a list or a table may come in several
// pieces. The error says what would be right and never shows a secret.
func (d *setting) parse(typed []string) (any, error) {
	switch d.kind {
	case list:
		return d.parseList(typed)
	case scopes:
		return d.parseScopes(typed)
	}
	raw := typed[len(typed)-1]
	if err := plain(raw); err != nil {
		return nil, err
	}
	switch d.kind {
	case yes:
		return parseYes(raw)
	case span:
		return d.parseSpan(raw)
	case size:
		return d.parseSize(raw)
	case number:
		return d.parseNumber(raw)
	case secret:
		return Secret(raw), nil
	}
	if len(d.oneOf) > 0 && !slices.Contains(d.oneOf, raw) {
		return nil, fmt.Errorf("%s is none of %s%s", show(raw), enumerate(d.oneOf), didYouMean(raw, d.oneOf, ""))
	}
	return raw, d.item(raw)
}

// zero is the value of a setting that nobody gave and that has no default.
func (d *setting) zero() any {
	switch d.kind {
	case secret:
		return Secret("")
	case list:
		return []string{}
	case scopes:
		return map[string][]string{}
	}
	return ""
}

// plain refuses what nobody means to type. Nothing is trimmed: a space at an end is a fault, not a guess.
func plain(raw string) error {
	switch {
	case raw == "":
		return errEmpty
	case len(raw) > maxValue:
		return fmt.Errorf("is longer than %s", formatSize(maxValue))
	case !utf8.ValidString(raw):
		return errors.New("is not UTF-8")
	case strings.TrimSpace(raw) != raw:
		return errors.New("has a space or a line end at its beginning or end; leave it out")
	case strings.ContainsFunc(raw, unicode.IsControl):
		return errors.New("has a control character in it")
	}
	return nil
}

func (d *setting) item(raw string) error {
	if d.check == nil {
		return nil
	}
	if problem := d.check(raw); problem != "" {
		return errors.New(problem)
	}
	return nil
}

func parseYes(raw string) (any, error) {
	switch raw {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return nil, fmt.Errorf("%s is neither true nor false", show(raw))
}

func (d *setting) parseSpan(raw string) (any, error) {
	v, err := time.ParseDuration(raw)
	if err != nil || strings.HasPrefix(raw, "+") || raw == "0" || raw == "-0" {
		return nil, fmt.Errorf("%s is no duration; write a number with its unit, such as 500ms, 30s or 5m", show(raw))
	}
	if v < d.from || v > d.to {
		return nil, fmt.Errorf("%s is out of bounds; from %s to %s are allowed", show(raw), formatSpan(d.from), formatSpan(d.to))
	}
	return v, nil
}

// units are the spellings of sizes, the largest first.
var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func (d *setting) parseSize(raw string) (any, error) {
	for _, unit := range units {
		digits, found := strings.CutSuffix(raw, unit.name)
		if !found {
			continue
		}
		n, err := whole(digits)
		if err != nil {
			break
		}
		if n > d.high/unit.bytes || n*unit.bytes < d.low {
			return nil, fmt.Errorf("%s is out of bounds; from %s to %s are allowed", show(raw), formatSize(d.low), formatSize(d.high))
		}
		return n * unit.bytes, nil
	}
	return nil, fmt.Errorf("%s is no size; write a whole number with its unit, such as 512KiB or 1MiB", show(raw))
}

func (d *setting) parseNumber(raw string) (any, error) {
	n, err := whole(raw)
	if err != nil {
		return nil, fmt.Errorf("%s is no whole number", show(raw))
	}
	if n < d.low || n > d.high {
		return nil, fmt.Errorf("%s is out of bounds; from %d to %d are allowed", show(raw), d.low, d.high)
	}
	return n, nil
}

// whole reads decimal digits without sign, separators or a leading zero.
func whole(raw string) (int64, error) {
	n, err := strconv.ParseInt(raw, 10, 64)
	if err == nil && strconv.FormatInt(n, 10) != raw {
		err = errors.New("not plain digits")
	}
	return n, err
}

// parseList reads pieces of items with commas between them.
func (d *setting) parseList(typed []string) (any, error) {
	items := []string{}
	for _, raw := range typed {
		if raw == "" {
			return nil, errEmpty
		}
		items = append(items, strings.Split(raw, ",")...)
	}
	return d.checkList(items)
}

// checkList holds items, which came from wherever, to what the setting may be.
func (d *setting) checkList(items []string) (any, error) {
	if len(items) > maxItems {
		return nil, fmt.Errorf("has more than %d items", maxItems)
	}
	seen := map[string]bool{}
	for _, item := range items {
		err := plain(item)
		switch {
		case errors.Is(err, errEmpty):
			return nil, errors.New("has an empty item")
		case err != nil:
			return nil, fmt.Errorf("item %s %w", show(item), err)
		case seen[item]:
			return nil, fmt.Errorf("has %s twice", show(item))
		}
		if err := d.item(item); err != nil {
			return nil, err
		}
		seen[item] = true
	}
	return items, nil
}

// parseScopes reads "tool=scope scope,tool=scope".
func (d *setting) parseScopes(typed []string) (any, error) {
	table := map[string][]string{}
	for _, raw := range typed {
		if raw == "" {
			return nil, errEmpty
		}
		for item := range strings.SplitSeq(raw, ",") {
			tool, words, found := strings.Cut(item, "=")
			if !found {
				return nil, fmt.Errorf("%s is not tool=scope, with a comma between tools and a space between scopes", show(item))
			}
			if _, twice := table[tool]; twice {
				return nil, fmt.Errorf("has the tool %s twice", show(tool))
			}
			table[tool] = strings.Split(words, " ")
		}
	}
	return checkScopes(table)
}

// checkScopes holds a table of tools, which came from wherever, to what scopes may be.
func checkScopes(table map[string][]string) (any, error) {
	if len(table) > maxItems {
		return nil, fmt.Errorf("has more than %d tools", maxItems)
	}
	for _, tool := range slices.Sorted(maps.Keys(table)) {
		if err := plain(tool); err != nil {
			return nil, fmt.Errorf("the tool %s %w", show(tool), err)
		}
		if len(table[tool]) == 0 || len(table[tool]) > maxItems {
			return nil, fmt.Errorf("the tool %s needs at least one scope and at most %d", show(tool), maxItems)
		}
		for i, s := range table[tool] {
			if problem := scope(s); problem != "" {
				return nil, fmt.Errorf("the tool %s: %s", show(tool), problem)
			}
			if slices.Contains(table[tool][:i], s) {
				return nil, fmt.Errorf("the tool %s has the scope %s twice", show(tool), show(s))
			}
		}
	}
	return table, nil
}

// format writes a value as one would type it in a flag.
func format(d *setting, value any) string {
	switch v := value.(type) {
	case Secret:
		if v == "" {
			return ""
		}
		return hidden
	case time.Duration:
		return formatSpan(v)
	case int64:
		if d.kind == size {
			return formatSize(v)
		}
		return strconv.FormatInt(v, 10)
	case bool:
		return strconv.FormatBool(v)
	case []string:
		return strings.Join(v, ",")
	case map[string][]string:
		parts := []string{}
		for _, tool := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, tool+"="+strings.Join(v[tool], " "))
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(value)
}

// formatSpan writes a duration without the parts that are zero: 5m, not 5m0s.
func formatSpan(v time.Duration) string {
	s := v.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func formatSize(n int64) string {
	for _, unit := range units {
		if n >= unit.bytes && n%unit.bytes == 0 {
			return strconv.FormatInt(n/unit.bytes, 10) + unit.name
		}
	}
	return "0B"
}

// show quotes what was typed, shortened.
func show(raw string) string {
	const most = 60
	if utf8.RuneCountInString(raw) > most {
		raw = string([]rune(raw)[:most]) + "…"
	}
	return strconv.Quote(raw)
}

// enumerate writes "a, b or c".
func enumerate(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
