package mcpserver_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// TestAttack60NobodyFillsTheMemoryWithBodies has one caller begin many large messages and end none.
func TestAttack60NobodyFillsTheMemoryWithBodies(t *testing.T) {
	for name, length := range map[string]int64{"a length": 1 << 20, "no length": -1} {
		t.Run("attack 60 half a message with "+name+" is held for some, then no more", func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				list := modern("tools/list", "", "")
				const most = 32
				answered := make(chan *http.Response, most)
				var writers []*io.PipeWriter
				for range most {
					body, w := io.Pipe()
					writers = append(writers, w)
					r := f.request(t, t.Context(), list)
					r.Body, r.ContentLength = body, length
					go func() {
						res, _ := f.client.Do(r) // it ends it itself, below
						answered <- res
					}()
					if _, err := fmt.Fprint(w, `{"jsonrpc":"2.0",`); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				large := list
				large.body += strings.Repeat(" ", 17<<10)
				r := f.send(t, large)
				r.refused(t, http.StatusTooManyRequests, -32000, "too many large messages at once")
				if r.header.Get("Retry-After") != "1" {
					t.Errorf("the header is %v", r.header)
				}
				if r := f.send(t, list); r.status != http.StatusOK {
					t.Errorf("a small message is answered %d %s", r.status, r.body)
				}
				large.caller = "bob"
				if r := f.send(t, large); r.status != http.StatusOK {
					t.Errorf("another caller is answered %d %s", r.status, r.body)
				}
				for _, w := range writers {
					w.CloseWithError(io.ErrUnexpectedEOF)
				}
				for range most {
					if res := <-answered; res != nil {
						res.Body.Close()
					}
				}
				synctest.Wait()
				large.caller = "ada"
				if r := f.send(t, large); r.status != http.StatusOK {
					t.Errorf("when they have ended it is answered %d %s", r.status, r.body)
				}
			})
		})
	}
}
