package policy_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// TestThePageIsTrue reads the policy and the expectations that the reference page shows, and holds one against the other.
func TestThePageIsTrue(t *testing.T) {
	page, err := os.ReadFile("../docs/reference/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) != 2 {
		t.Fatalf("the page shows %d files of YAML", len(blocks))
	}
	p, err := policy.Parse("the page", blocks[0][1], []string{"get_current_time", "convert_time", "reverse_tool", "random_number_tool", "time://current"})
	if err != nil {
		t.Fatal(err)
	}
	list, err := policy.ParseExpectations("the page", blocks[1][1])
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if _, difference := e.Check(p); difference != "" {
			t.Errorf("%s: %s", e.Name, difference)
		}
	}
}
