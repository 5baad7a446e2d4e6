package audit

import (
	"path/filepath"
	"testing"
)

// BenchmarkFile is what one event costs a call.
func BenchmarkFile(b *testing.B) {
	f, err := OpenFile(FileOptions{Path: filepath.Join(b.TempDir(), "audit.jsonl"), MaxSize: 64 << 20, Keep: 1})
	if err != nil {
		b.Fatal(err)
	}
	trail, err := NewTrail(Options{Sinks: []Sink{f}})
	if err != nil {
		b.Fatal(err)
	}
	defer trail.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := trail.Write(b.Context(), full()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHash is what the fingerprint of a call's arguments costs.
func BenchmarkHash(b *testing.B) {
	trail, err := NewTrail(Options{Sinks: []Sink{&memory{}}})
	if err != nil {
		b.Fatal(err)
	}
	arguments := []byte(`{"query":"the quick brown fox jumps over the lazy dog","times":3}`)
	b.ReportAllocs()
	for b.Loop() {
		trail.Hash(arguments)
	}
}
