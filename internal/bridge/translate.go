package bridge

import (
	"context"
	"encoding/json"
	"strings"
)

// newest is the revision of the newer era that the bridge translates to.
const newest = "2026-07-28"

// modern is what a client of the older era said of itself, for requests of the newer one.
type modern struct {
	info, capabilities json.RawMessage
	version            string
}

func (b *Bridge) translates() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.modern != nil
}

// discover asks the server in the newer era who it is, and answers the client's initialize with that. It returns nil
// where the server does not know the newer era either.
func (b *Bridge) discover(ctx context.Context, m *message) json.RawMessage {
	var asked struct {
		Version      string          `json:"protocolVersion"`
		Capabilities json.RawMessage `json:"capabilities"`
		Info         json.RawMessage `json:"clientInfo"`
	}
	if json.Unmarshal(m.Params, &asked) != nil {
		return nil
	}
	to := &modern{info: asked.Info, capabilities: asked.Capabilities, version: newest}
	if len(to.capabilities) == 0 {
		to.capabilities = json.RawMessage("{}")
	}
	request, err := to.request(m.ID, "server/discover", nil)
	if err != nil {
		return nil
	}
	raw, err := b.exchange(ctx, request)
	if err != nil {
		return nil
	}
	var answer struct {
		Result *struct {
			Meta         map[string]json.RawMessage `json:"_meta"`
			Versions     []string                   `json:"supportedVersions"`
			Capabilities json.RawMessage            `json:"capabilities"`
			Instructions string                     `json:"instructions"`
		} `json:"result"`
	}
	if json.Unmarshal(raw, &answer) != nil || answer.Result == nil || len(answer.Result.Versions) == 0 {
		return nil
	}
	info := answer.Result.Meta[metaServerInfo]
	if info == nil {
		info, _ = json.Marshal(map[string]string{"name": b.Server, "version": "unknown"})
	}
	result := map[string]any{"protocolVersion": asked.Version, "capabilities": answer.Result.Capabilities, "serverInfo": info}
	if answer.Result.Instructions != "" {
		result["instructions"] = answer.Result.Instructions
	}
	b.mu.Lock()
	b.modern = to
	b.mu.Unlock()
	return success(m.ID, result)
}

// request makes a request of the newer era with params, which may be nil.
func (to *modern) request(id json.RawMessage, method string, params json.RawMessage) (*message, error) {
	all := map[string]json.RawMessage{}
	if len(params) > 0 && string(params) != "null" {
		if err := json.Unmarshal(params, &all); err != nil {
			return nil, err
		}
	}
	meta := map[string]json.RawMessage{}
	if raw := all["_meta"]; raw != nil {
		if err := json.Unmarshal(raw, &meta); err != nil {
			return nil, err
		}
	}
	meta[metaVersion], _ = json.Marshal(to.version)
	meta[metaCapabilities] = to.capabilities
	if to.info != nil {
		meta[metaClientInfo] = to.info
	}
	var err error
	if all["_meta"], err = json.Marshal(meta); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": all})
	if err != nil {
		return nil, err
	}
	return parse(raw)
}

// translate carries a request of the older era to a server of the newer one, and its answer back.
func (b *Bridge) translate(ctx context.Context, m *message) json.RawMessage {
	switch m.Method {
	case "ping", "logging/setLevel":
		return success(m.ID, struct{}{}) // the newer era has no such requests, and misses nothing
	case "resources/subscribe", "resources/unsubscribe":
		return failure(m.ID, codeNotFound, "the server speaks "+newest+", where a client subscribes otherwise; the bridge does not translate that")
	}
	b.mu.Lock()
	to := b.modern
	b.mu.Unlock()
	params := m.Params
	for range maxRounds {
		request, err := to.request(m.ID, m.Method, params)
		if err != nil {
			return failure(m.ID, codeInvalidRequest, err.Error())
		}
		answer, err := b.exchange(ctx, request)
		if err != nil {
			return b.settled(ctx, m.ID, nil, err)
		}
		var a struct {
			Result map[string]json.RawMessage `json:"result"`
		}
		if json.Unmarshal(answer, &a) != nil || a.Result == nil {
			return answer
		}
		if strings.Trim(string(a.Result["resultType"]), `"`) != "input_required" {
			if m.Method == "tools/list" {
				if full, bad := parse(answer); bad == nil {
					b.learn(full.Result)
				}
			}
			for _, name := range []string{"resultType", "ttlMs", "cacheScope"} {
				delete(a.Result, name)
			}
			return success(m.ID, a.Result)
		}
		if params, err = b.round(ctx, m.Params, a.Result); err != nil {
			return b.settled(ctx, m.ID, nil, err)
		}
	}
	return failure(m.ID, codeServer, "the server asks again and again")
}
