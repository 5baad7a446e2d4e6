package cli

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
)

// TestAttack60AReadThatIsNeverAnsweredEnds, and a person's time does not count.
func TestAttack60AReadThatIsNeverAnsweredEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c, who := &caller{settings: &config.Settings{}, server: "https://h.example/mcp"}, &asker{}
		_, err := c.last(t.Context(), who, func(ctx context.Context) error {
			who.hold(func() { time.Sleep(time.Hour) })
			<-ctx.Done()
			return ctx.Err()
		})
		if took := time.Since(began); took != time.Hour+readTime || exitCode(err) != exitUnreachable || len(hintsOf(err)) != 1 {
			t.Errorf("after %s: %v", took, err)
		}
	})
}
