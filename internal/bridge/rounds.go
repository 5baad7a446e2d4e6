package bridge

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
)

// maxRounds is how often a server may ask in one call.
const maxRounds = 10

// round asks the client, as the older era does, for the input that a result of the newer era requires, and returns the
// params of the request that brings it.
func (b *Bridge) round(ctx context.Context, params json.RawMessage, result map[string]json.RawMessage) (json.RawMessage, error) {
	var wanted map[string]struct {
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
	}
	if raw := result["inputRequests"]; raw != nil {
		if err := json.Unmarshal(raw, &wanted); err != nil {
			return nil, fmt.Errorf("read what the server asks: %w", err)
		}
	}
	given := map[string]json.RawMessage{}
	for name, w := range wanted {
		answer, err := b.askClient(ctx, w.Method, w.Params)
		if err != nil {
			return nil, err
		}
		given[name] = answer
	}
	all := map[string]json.RawMessage{}
	if len(params) > 0 {
		if err := json.Unmarshal(params, &all); err != nil {
			return nil, err
		}
	}
	var err error
	if all["inputResponses"], err = json.Marshal(given); err != nil {
		return nil, err
	}
	if state := result["requestState"]; state != nil {
		all["requestState"] = state
	}
	return json.Marshal(all)
}

// askClient sends the client a request of the bridge's own and waits for the result.
func (b *Bridge) askClient(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	id, err := json.Marshal("bridge-" + rand.Text())
	if err != nil {
		return nil, err
	}
	answer := make(chan json.RawMessage, 1)
	b.mu.Lock()
	b.awaiting[string(id)] = answer
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.awaiting, string(id))
		b.mu.Unlock()
	}()
	request := map[string]any{"jsonrpc": "2.0", "id": json.RawMessage(id), "method": method}
	if params != nil {
		request["params"] = params
	}
	raw, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	b.out.write(raw)
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case raw := <-answer:
		m, err := parse(raw)
		if err != nil {
			return nil, err
		}
		if m.Error != nil {
			return nil, fmt.Errorf("the client answers %s with an error: %s", method, m.Error)
		}
		return m.Result, nil
	}
}

// answered hands an answer of the client to who of the bridge awaits it, and reports whether somebody does.
func (b *Bridge) answered(m *message) bool {
	b.mu.Lock()
	answer := b.awaiting[string(m.ID)]
	delete(b.awaiting, string(m.ID))
	b.mu.Unlock()
	if answer == nil {
		return false
	}
	answer <- m.raw
	return true
}
