package rest

import (
	"net/http"
	"net/url"
)

// resource is a resource as it is described here.
type resource struct {
	URI         string   `json:"uri"`
	Name        string   `json:"name"`
	Title       string   `json:"title,omitempty"`
	Description string   `json:"description,omitempty"`
	MIMEType    string   `json:"mime_type,omitempty"`
	Missing     []string `json:"missing_scopes,omitempty"` // as for a tool
}

func (h *Handler) resources(w http.ResponseWriter, r *http.Request) error {
	list := []resource{}
	for _, d := range h.o.Box.Resources(r.Context()) {
		list = append(list, resource{URI: d.URI, Name: d.Name, Title: d.Title, Description: d.Description, MIMEType: d.MIMEType,
			Missing: h.missing(r, d.URI)})
	}
	return writeTagged(w, r, map[string]any{"resources": list})
}

func (h *Handler) read(w http.ResponseWriter, r *http.Request) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(query["uri"]) != 1 || query.Get("uri") == "" {
		p := problem(http.StatusBadRequest, "invalid_request", "the query must name one uri")
		p.Errors = []Field{{"uri", "is missing, or stands there twice"}}
		return p
	}
	contents, err := h.o.Box.Read(r.Context(), query.Get("uri"), h.o.RequestID(r))
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, map[string]any{"contents": contents})
}
