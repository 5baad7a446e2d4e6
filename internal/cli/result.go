package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"golang.org/x/term"

	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

// content is one piece of what a server answers.
type content struct {
	Type        string   `json:"type"`
	Text        *string  `json:"text"`
	Data        string   `json:"data"` // base64: image, audio
	Blob        string   `json:"blob"` // base64: resource
	MIMEType    string   `json:"mimeType"`
	URI         string   `json:"uri"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Resource    *content `json:"resource"` // embedded
}

// callResult is what a person reads of a tool's result.
type callResult struct {
	Content    []content       `json:"content"`
	Structured json.RawMessage `json:"structuredContent"`
	IsError    bool            `json:"isError"`
}

// paper is where results go: stdout, or a file for what a terminal cannot show.
type paper struct {
	out, err io.Writer
	output   string // a file or folder; empty means none
	saved    int    // pieces in it
}

// document prints raw as the one JSON document on stdout: to a program byte for byte, to a person indented.
func (p *paper) document(raw json.RawMessage) error {
	text := string(raw)
	if isTerminal(p.out) {
		text = tui.CleanText(indented(raw))
	}
	_, err := io.WriteString(p.out, text+"\n")
	return err
}

// result prints a tool's result for a person: its texts, then what it holds as data.
func (p *paper) result(r *callResult) error {
	for i := range r.Content {
		c := &r.Content[i]
		if c.Type == "text" && c.Text != nil && sameJSON(*c.Text, r.Structured) {
			continue // the same once more, for those who read no data
		}
		if err := p.piece(c); err != nil {
			return err
		}
	}
	if len(r.Structured) == 0 || string(r.Structured) == "null" {
		return nil
	}
	return p.text(indented(r.Structured))
}

// piece prints one piece of content, saves it, or says what it is.
func (p *paper) piece(c *content) error {
	switch {
	case c.Resource != nil:
		return p.piece(c.Resource)
	case c.Type == "resource_link":
		return p.text(strings.TrimSpace(c.URI + "  " + tui.Clean(c.Name+" "+c.Description)))
	case c.Text != nil:
		return p.text(*c.Text)
	case c.Data != "" || c.Blob != "":
		return p.binary(c)
	}
	return p.note("a piece of type %q is not shown; --json shows it", c.Type)
}

// text prints text. What a terminal shows is cleaned; a file or a program gets it as it is.
func (p *paper) text(text string) error {
	if p.output != "" {
		return p.save([]byte(text), "text/plain")
	}
	if isTerminal(p.out) {
		text = tui.CleanText(text)
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	_, err := io.WriteString(p.out, text)
	return err
}

// binary saves what is no text, or says that it was not.
func (p *paper) binary(c *content) error {
	data, err := base64.StdEncoding.DecodeString(c.Data + c.Blob)
	if err != nil {
		return p.note("%s is not shown: it is no base64", describe(c, 0))
	}
	if p.output != "" {
		return p.save(data, c.MIMEType)
	}
	return p.note("%s is not shown; --output FILE saves it", describe(c, len(data)))
}

func describe(c *content, size int) string {
	what := c.MIMEType
	if what == "" {
		what = "binary content"
	}
	if c.URI != "" {
		what += " of " + c.URI
	}
	if size > 0 {
		what += fmt.Sprintf(", %d bytes,", size)
	}
	return tui.Clean(what)
}

// save writes a piece to the file that --output names, or into the folder. Of several pieces, those after the first get
// a number.
func (p *paper) save(data []byte, mimeType string) error {
	p.saved++
	name := p.output
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		name = filepath.Join(name, fmt.Sprintf("content-%d%s", p.saved, extension(mimeType)))
	} else if p.saved > 1 {
		ext := filepath.Ext(name)
		name = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ext), p.saved, ext)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		return err
	}
	return p.note("saved %s, %d bytes", name, len(data))
}

// extension is the ending of a file of this type. What a server says of it is used only where the type is known.
func extension(mimeType string) string {
	known := map[string]string{"image/jpeg": ".jpg", "text/plain": ".txt", "image/png": ".png", "audio/wav": ".wav", "audio/mpeg": ".mp3"}
	media, _, _ := mime.ParseMediaType(mimeType)
	if ext := known[media]; ext != "" {
		return ext
	}
	if all, err := mime.ExtensionsByType(media); err == nil && len(all) > 0 {
		return all[0]
	}
	return ".bin"
}

func (p *paper) note(format string, args ...any) error {
	_, err := fmt.Fprintf(p.err, "fastmcp-auth: "+format+"\n", args...)
	return err
}

// sameJSON reports whether text is the JSON of structured.
func sameJSON(text string, structured json.RawMessage) bool {
	if len(structured) == 0 {
		return false
	}
	var a, b any
	return json.Unmarshal([]byte(text), &a) == nil && json.Unmarshal(structured, &b) == nil && reflect.DeepEqual(a, b)
}

// isTerminal reports whether a person reads w.
func isTerminal(w any) bool {
	if o, ok := w.(*watched); ok {
		w = o.w
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// heading stands above the result of one of several calls.
func (p *paper) heading(name string) error {
	if p.output != "" {
		return nil
	}
	_, err := fmt.Fprintf(p.out, "== %s\n", tui.Clean(name))
	return err
}

// indented is raw as a person reads it.
func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}
