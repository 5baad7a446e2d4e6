package openai

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// Local is a server of models on this machine.
type Local struct {
	Name   string // Ollama or vLLM
	URL    string
	Models []string
}

// The places where they listen by themselves.
var places = []Local{{Name: "Ollama", URL: "http://127.0.0.1:11434/v1"}, {Name: "vLLM", URL: "http://127.0.0.1:8000/v1"}}

const localPatience = 500 * time.Millisecond

// FindLocal asks the places where Ollama and vLLM listen by themselves, and returns those that answer with models. No key
// is sent.
func FindLocal(ctx context.Context, hc *http.Client) []Local { return find(ctx, hc, places) }

func find(ctx context.Context, hc *http.Client, places []Local) []Local {
	ctx, cancel := context.WithTimeout(ctx, localPatience)
	defer cancel()
	found := make([]Local, len(places))
	var asking sync.WaitGroup
	for i, place := range places {
		asking.Go(func() {
			m, err := New(Config{URL: place.URL, Model: "-", HTTPClient: hc})
			if err != nil {
				return
			}
			if place.Models, err = m.Models(ctx); err == nil {
				found[i] = place
			}
		})
	}
	asking.Wait()
	var all []Local
	for _, l := range found {
		if len(l.Models) > 0 {
			all = append(all, l)
		}
	}
	return all
}
