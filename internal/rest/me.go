package rest

import (
	"net/http"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// me is who is calling, as the server sees it.
type me struct {
	SignedIn bool               `json:"signed_in"`
	Identity *identity.Identity `json:"identity,omitempty"` // absent where nobody signs in
}

func (h *Handler) me(w http.ResponseWriter, r *http.Request) error {
	id := identity.FromContext(r.Context())
	return write(w, http.StatusOK, me{SignedIn: id != nil, Identity: id})
}
