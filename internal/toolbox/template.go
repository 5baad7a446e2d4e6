package toolbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/yosida95/uritemplate/v3"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// maxURI is how long a URI made from a template may be, in bytes.
const maxURI = 2048

// Template is a family of resources: every URI that fits it can be read. The policy is asked for each such URI, and for
// the template's own text where templates are listed.
type Template struct {
	// Definition names and describes the template, RFC 6570. It must not change afterwards.
	Definition *mcp.ResourceTemplate
	// Read returns the contents of a URI that fits; variables holds what stands in it, decoded. It gives the
	// contents away: a missing type is filled in. Its errors are as those of Tool.Call.
	Read func(ctx context.Context, uri string, variables map[string]string) ([]*mcp.ResourceContents, error)
	// Complete suggests values for the variables; nil means that there are no suggestions.
	Complete Complete
}

type template struct {
	Template
	parsed *uritemplate.Template
	fits   *regexp.Regexp
}

func (b *Box) addTemplate(t Template) error {
	if t.Definition == nil || t.Definition.URITemplate == "" {
		return errors.New("a template without a URI template")
	}
	text := t.Definition.URITemplate
	if t.Read == nil {
		return fmt.Errorf("%s: Read is missing", text)
	}
	for _, other := range b.templates {
		if other.Definition.URITemplate == text {
			return fmt.Errorf("%s: a second template of this text", text)
		}
	}
	parsed, err := uritemplate.New(text)
	if err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	b.templates = append(b.templates, &template{Template: t, parsed: parsed, fits: parsed.Regexp()})
	return nil
}

// resourceAt returns the resource of this URI, also one that a template makes, or nil.
func (b *Box) resourceAt(uri string) *resource {
	if r := b.byURI[uri]; r != nil || len(uri) > maxURI {
		return r
	}
	for _, t := range b.templates {
		if !t.fits.MatchString(uri) {
			continue
		}
		variables := map[string]string{}
		for name, value := range t.parsed.Match(uri) {
			variables[name] = value.String()
		}
		d := t.Definition
		return &resource{Resource{
			Definition: &mcp.Resource{URI: uri, Name: d.Name, MIMEType: d.MIMEType},
			Read: func(ctx context.Context) ([]*mcp.ResourceContents, error) {
				contents, err := t.Read(ctx, uri, variables)
				for _, c := range contents {
					c.MIMEType = cmp.Or(c.MIMEType, d.MIMEType)
				}
				return contents, err
			},
		}}
	}
	return nil
}

// Templates returns the templates the caller in ctx may know of, as [Box.Tools] does for tools, sorted by their text.
func (b *Box) Templates(ctx context.Context) []*mcp.ResourceTemplate {
	id, p := identity.FromContext(ctx), b.policy.Load()
	visible := []*mcp.ResourceTemplate{}
	for _, t := range b.templates {
		if p.Visible(id, t.Definition.URITemplate) {
			visible = append(visible, t.Definition)
		}
	}
	return visible
}

// AllTemplates returns every template there is, sorted by its text, as [Box.AllTools] does for tools.
func (b *Box) AllTemplates() []*mcp.ResourceTemplate {
	all := []*mcp.ResourceTemplate{}
	for _, t := range b.templates {
		all = append(all, t.Definition)
	}
	return all
}

// Watched reports whether clients may ask to be told when the resource of this URI changes. With an empty URI it
// reports whether there is any such resource.
func (b *Box) Watched(uri string) bool {
	if uri == "" {
		return len(b.changing) > 0
	}
	return slices.Contains(b.changing, uri)
}

// byTemplate sorts templates.
func byTemplate(x, y *template) int {
	return strings.Compare(x.Definition.URITemplate, y.Definition.URITemplate)
}
