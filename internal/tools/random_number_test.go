package tools_test

import (
	"fmt"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/internal/tools"
)

func TestRandomNumberIsDrawnFromTheWholeRange(t *testing.T) {
	tool := find(t, "random_number_tool", tools.Options{})
	seen := map[float64]int{}
	const draws = 3000
	for range draws {
		got, refused := call(t, tool, `{"min":-1,"max":1}`)
		if refused != "" {
			t.Fatal(refused)
		}
		seen[got["random_number"].(float64)]++
	}
	for n := -1.0; n <= 1; n++ {
		// Each is drawn about 1000 times; 26 times the standard deviation away is no accident.
		if seen[n] < draws/3-700 || seen[n] > draws/3+700 {
			t.Errorf("%v was drawn %d times of %d", n, seen[n], draws)
		}
	}
	if len(seen) != 3 {
		t.Errorf("drawn were %v", seen)
	}
}

func TestRandomNumber(t *testing.T) {
	for _, row := range []struct{ name, arguments, refused string }{
		{"one number is its own range", `{"min":7,"max":7}`, ""},
		{"the widest range does not overflow", `{"min":-9007199254740991,"max":9007199254740991}`, ""},
		{"a fraction of zeros is whole", `{"min":1.0,"max":2.00}`, ""},
		{"min above max is refused", `{"min":2,"max":1}`, `"min" is 2 and "max" is 1: min must not be greater than max`},
		{"a number beyond what JSON keeps whole is refused", `{"min":0,"max":9007199254740992}`, `"max" is too large: numbers from -9007199254740991 to 9007199254740991 are allowed`},
		{"a number beyond 64 bits is refused", `{"min":-99999999999999999999,"max":0}`, `"min" is too large: numbers from -9007199254740991 to 9007199254740991 are allowed`},
		{"a fraction is refused", `{"min":0.5,"max":2}`, `"min" must be a whole number, written in digits`},
		{"an exponent is refused", `{"min":0,"max":1e999999999}`, `"max" must be a whole number, written in digits`},
		{"a string is refused", `{"min":"0","max":1}`, `"min" must be a whole number, written in digits`},
		{"a missing bound is refused", `{"min":0}`, `"max" is missing`},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, refused := call(t, find(t, "random_number_tool", tools.Options{}), row.arguments); refused != row.refused {
				t.Errorf("got %q", refused)
			}
		})
	}
}

func TestRandomNumberStaysWithinItsBounds(t *testing.T) {
	tool := find(t, "random_number_tool", tools.Options{})
	for i := range 200 {
		got, _ := call(t, tool, fmt.Sprintf(`{"min":%d,"max":%d}`, -i, i))
		if n := got["random_number"].(float64); n < float64(-i) || n > float64(i) {
			t.Fatalf("%v is not between %d and %d", n, -i, i)
		}
	}
}
