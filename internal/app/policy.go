package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/telemetry"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tools"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// policyInterval is how often the policy files are looked at. A change is taken over when it is there at two looks.
const policyInterval = time.Second

// LoadPolicy returns the policy that s describes: the open one without sign-in, the file's, or that of the scopes. A
// file that is not right is a [*policy.Faults], with everything that is wrong.
func LoadPolicy(s *config.Settings) (*policy.Policy, error) {
	switch {
	case s.NoAuth:
		return policy.Open(), nil
	case s.Policy.File != "":
		p, _, err := readPolicy(s.Policy.File)
		return p, err
	}
	rules := policy.DefaultRules()
	rules.Broad = s.Scopes.Execute
	maps.Copy(rules.Scopes, s.Scopes.Tools)
	return policy.New(rules)
}

// operations are the names of the tools and the URIs of the resources that a rule may be about.
func operations() []string {
	names := ToolNames()
	for _, r := range tools.Resources(tools.Options{}) {
		names = append(names, r.Definition.URI)
	}
	return names
}

// readPolicy reads the file at path, and returns its bytes too where they could be read.
func readPolicy(path string) (*policy.Policy, []byte, error) {
	body, err := readBounded(path)
	if err != nil {
		return nil, nil, &policy.Faults{List: []policy.Fault{{Name: path, Problem: err.Error()}}}
	}
	p, err := policy.Parse(path, body, operations())
	return p, body, err
}

// readBounded reads one byte more than a policy may have, at most. The errors are ends of sentences.
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("is not there")
	case err == nil && !info.Mode().IsRegular():
		return nil, errors.New("is no regular file")
	case err == nil:
		var f *os.File
		if f, err = os.Open(path); err == nil {
			defer f.Close()
			var body []byte
			if body, err = io.ReadAll(io.LimitReader(f, policy.MaxFile+1)); err == nil {
				return body, nil
			}
		}
	}
	if cause := (*fs.PathError)(nil); errors.As(err, &cause) {
		err = cause.Err
	}
	return nil, errors.New("cannot be read: " + err.Error())
}

// policyFile is a file that a policy is kept in, and read again when it changes.
type policyFile struct {
	path string
	what string               // for the log: "policy" or "shadow policy"
	use  func(*policy.Policy) // swaps the policy, for all calls at once
	log  *slog.Logger

	mu      sync.Mutex
	inUse   []byte // what the policy in use was read from
	seen    []byte // what was there at the last look
	refused string // why the file is not in use, as it was logged
	used    uint64 // reloads that brought a policy
	wrong   uint64 // reloads that were refused
}

// state is what became of the file so far.
func (f *policyFile) state() telemetry.PolicyState {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := "policy"
	if f.what != name {
		name = "shadow"
	}
	return telemetry.PolicyState{Policy: name, Used: f.used, Wrong: f.wrong, RefusedNow: f.refused != ""}
}

// refresh reads the file. Where it says something else than before and is right, it is used from then on; where it is
// wrong, the policy in use stays. Asked says that somebody wants to hear even that nothing changed.
//
// Half of a file that somebody is writing may be a policy too, and one that opens more: a rule whose roles are not there
// yet. So a change that nobody speaks for is left alone until it was the same at two looks.
func (f *policyFile) refresh(ctx context.Context, asked bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, body, err := readPolicy(f.path)
	settled := asked || bytes.Equal(body, f.seen) || bytes.Equal(body, f.inUse)
	f.seen = body
	if !settled {
		return
	}
	switch {
	case err != nil:
		if asked || err.Error() != f.refused {
			f.log.ErrorContext(ctx, f.what+" refused, the one in use stays", "file", f.path, "faults", err.Error())
			f.wrong++
		}
		f.refused = err.Error()
	case bytes.Equal(body, f.inUse):
		if asked || f.refused != "" {
			f.log.InfoContext(ctx, f.what+" unchanged", "file", f.path)
		}
		f.refused = ""
	default:
		f.use(p)
		f.inUse, f.refused = body, ""
		f.used++
		f.log.InfoContext(ctx, f.what+" reloaded", "file", f.path)
	}
}

// openPolicies reads the policy and the one that is tried out, and says which files to watch. The error has the faults of
// both.
func (s *Server) openPolicies() error {
	var faults policy.Faults
	open := func(path, what string) (*policy.Policy, *policyFile) {
		p, body, err := readPolicy(path)
		if found := (*policy.Faults)(nil); errors.As(err, &found) {
			faults.List = append(faults.List, found.List...)
			return nil, nil
		}
		f := &policyFile{path: path, what: what, log: s.log, inUse: body}
		s.policyFiles = append(s.policyFiles, f)
		return p, f
	}
	if path := s.settings.Policy.Shadow; path != "" {
		p, f := open(path, "shadow policy")
		s.shadow = p
		if f != nil {
			f.use = func(p *policy.Policy) { s.box.SetShadow(p) }
		}
	}
	if path := s.settings.Policy.File; path != "" {
		p, f := open(path, "policy")
		s.policy = p
		if f != nil {
			f.use = func(p *policy.Policy) { s.box.SetPolicy(p) }
		}
	}
	if len(faults.List) > 0 {
		return &faults
	}
	if s.policy == nil {
		var err error
		if s.policy, err = LoadPolicy(s.settings); err != nil {
			return err
		}
	}
	return nil
}

// ReloadPolicy reads the policy files again now. What is wrong goes to the log, and what was in use stays.
func (s *Server) ReloadPolicy(ctx context.Context) {
	for _, f := range s.policyFiles {
		f.refresh(ctx, true)
	}
}

// watchPolicies reads the policy files again when they change, until ctx ends. It compares what they say, not their
// times: an editor, a symbolic link and a mounted volume change a file in ways of their own.
func (s *Server) watchPolicies(ctx context.Context) error {
	tick := time.NewTicker(policyInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			for _, f := range s.policyFiles {
				f.refresh(ctx, false)
			}
		}
	}
}
