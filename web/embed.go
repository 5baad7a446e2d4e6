// Package web is the console in the browser, as `make web` built it, and the way it is handed out.
//
// It serves files and decides nothing: who is calling, and what they may do, is asked of the REST API by the pages
// themselves. No page loads anything from elsewhere, and none runs a script or a style that is not its own.
//
//	Register  which paths are the console's                    embed.go
//	page      a page with its nonce and its policy             page.go
//	asset     a file whose name changes with it, compressed    asset.go
//	src/      the console itself, in TypeScript and React
//	build/    what turns src into dist, beside Vite
package web

import (
	"context"
	"embed"
	"io/fs"
	"net/http"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// Options of a Console. The zero value works.
type Options struct {
	// TokenURL is where the API's documentation may send a code to, so that Authorize works in it; it is asked for each
	// time. Nil, or a text that is no URL, means nowhere.
	TokenURL func(context.Context) string
	// Files are what was built: index.html, docs/index.html, assets. Nil means what stands in the binary.
	Files fs.FS
}

// Console hands out the pages.
type Console struct {
	files  fs.FS
	token  func(context.Context) string
	built  bool
	assets http.Handler
}

// New returns a console. It starts nothing; where the build is missing, its pages say how to get it.
func New(o Options) (*Console, error) {
	if o.Files == nil {
		built, err := fs.Sub(dist, "dist")
		if err != nil {
			return nil, err
		}
		o.Files = built
	}
	_, err := fs.Stat(o.Files, "index.html")
	if o.TokenURL == nil {
		o.TokenURL = func(context.Context) string { return "" }
	}
	return &Console{files: o.Files, token: o.TokenURL, built: err == nil, assets: assets{o.Files}}, nil
}

// Paths are the console's own, besides its front page, which is for the caller to place: see [Console.Page].
func Paths() []string {
	return []string{"/tools", "/tools/{name}", "/calls", "/calls/{id}", "/resources", "/me", "/connect", "/settings"}
}

// Register puts the console's paths into mux. What is none of them is not the console's.
func (c *Console) Register(mux *http.ServeMux) {
	for _, path := range Paths() {
		mux.HandleFunc("GET "+path, c.Page)
	}
	mux.Handle("GET /assets/", c.assets)
	mux.HandleFunc("GET /api/docs", c.documentation)
	mux.HandleFunc("GET /api/docs/{$}", c.documentation)
	mux.HandleFunc("GET /api/docs/oauth2-redirect.html", c.returned)
}

// Wanted reports whether whoever asks is a browser that wants a page to show.
func Wanted(r *http.Request) bool {
	for accepted := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		media, _, _ := strings.Cut(accepted, ";")
		if strings.EqualFold(strings.TrimSpace(media), "text/html") {
			return true
		}
	}
	return false
}
