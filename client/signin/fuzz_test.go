package signin_test

import (
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// FuzzReadState reads what stands in a file that anybody may have written to.
func FuzzReadState(f *testing.F) {
	f.Add([]byte(`{"version":1,"issuer":"https://as.example","token_endpoint":"https://as.example/token","server":"https://m.example/mcp","client_id":"c","token_type":"Bearer","access_token":"a"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := signin.ReadState(b)
		if err != nil {
			return
		}
		again, err := s.Reveal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signin.ReadState(again); err != nil {
			t.Fatal(err)
		}
	})
}
