package agent

import (
	"fmt"
	"io"
	"strings"
)

// Export writes messages as Markdown, for people. What tools answered stands in blocks of code.
func Export(w io.Writer, messages []Message) error {
	headings := map[Role]string{RoleUser: "You", RoleAssistant: "Assistant", RoleTool: "Tool"}
	for _, m := range messages {
		if headings[m.Role] == "" {
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "## %s\n\n", headings[m.Role])
		if m.Role == RoleTool {
			b.WriteString(fenced("json", m.Text))
		} else if m.Text != "" {
			fmt.Fprintf(&b, "%s\n\n", m.Text)
		}
		for _, c := range m.Calls {
			b.WriteString(fenced("json", c.Tool+" "+c.Arguments))
		}
		if _, err := io.WriteString(w, b.String()); err != nil {
			return fmt.Errorf("agent: export: %w", err)
		}
	}
	return nil
}

// fenced is a block of code whose fence the text cannot close.
func fenced(language, text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fmt.Sprintf("%s%s\n%s\n%s\n\n", fence, language, text, fence)
}
