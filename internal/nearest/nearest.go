// Package nearest finds the name that a misspelt one was meant to be.
//
// It knows no names of its own, and answers nothing rather than something far off.
package nearest

import "strings"

// longest bounds the work that a stranger's name can cause.
const longest = 128

// Name returns the name nearest to what was asked for, regardless of case, or empty if none is near: two slips are
// forgiven, or one for every three letters, and never as many as there are letters.
func Name(asked string, names []string) string {
	if len(asked) > longest {
		return ""
	}
	best, at := "", 1+max(min(2, len(asked)/2), len(asked)/3)
	for _, name := range names {
		if d := Distance(strings.ToLower(asked), strings.ToLower(name)); d < at {
			best, at = name, d
		}
	}
	return best
}

// Distance counts the bytes to put in, take out, change, or swap with their neighbour to make b of a. Its work grows
// with the product of the lengths, which the caller bounds.
func Distance(a, b string) int {
	above, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], above[j-2]+1)
			}
		}
		above, last, row = last, row, above
	}
	return last[len(b)]
}
