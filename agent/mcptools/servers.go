package mcptools

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/client"
)

// Server is one MCP server.
type Server struct {
	Name string // short, for people, and in front of tools whose names collide
	URL  string // what rules know it by
	// Open opens a session, signing in where that is needed. It is called again after a failure.
	Open func(ctx context.Context) (*client.Session, error)
}

// Servers are agent.Tools. The zero value has none. They are safe for concurrent use. Close them when done.
type Servers struct {
	// Down hears when a server cannot be reached, once until it can be again; nil means that nobody does.
	Down func(s Server, err error)

	mu  sync.Mutex
	all []*connection
}

// Rest is how long a server that is down is left alone before it is tried again.
const Rest = 30 * time.Second

// connection is one server as it is now.
type connection struct {
	Server

	opening sync.Mutex // held while it is opened or listed: one at a time
	session *client.Session
	tools   []*mcp.Tool // nil until it is listed
	err     error       // why it is down
	tried   time.Time
	stale   atomic.Bool // the list is old news
}

// Add adds servers. Nothing is opened before the first list.
func (s *Servers) Add(servers ...Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, server := range servers {
		s.all = append(s.all, &connection{Server: server})
	}
}

// State is how a server is.
type State struct {
	Name, URL string
	Tools     int
	Err       error // why it is down; nil where it is up, or was not tried yet
	Tried     bool
}

// States are the servers in the order in which they were added.
func (s *Servers) States() []State {
	var states []State
	for _, c := range s.connections() {
		c.opening.Lock()
		states = append(states, State{Name: c.Name, URL: c.URL, Tools: len(c.tools), Err: c.err, Tried: !c.tried.IsZero()})
		c.opening.Unlock()
	}
	return states
}

// Again has servers that are down tried at the next list, however short ago they failed. name is which; empty means all.
func (s *Servers) Again(name string) {
	for _, c := range s.connections() {
		if name != "" && name != c.Name && name != c.URL {
			continue
		}
		c.opening.Lock()
		if c.err != nil {
			c.tried = time.Time{}
		}
		c.opening.Unlock()
	}
}

// Changed has the server at url listed again, since its list is said to have changed. It returns at once.
func (s *Servers) Changed(url string) {
	for _, c := range s.connections() {
		if c.URL == url {
			c.stale.Store(true)
		}
	}
}

// Close closes the sessions.
func (s *Servers) Close() error {
	var errs []error
	for _, c := range s.connections() {
		c.opening.Lock()
		if c.session != nil {
			errs = append(errs, c.session.Close())
			c.session, c.tools = nil, nil
		}
		c.opening.Unlock()
	}
	return errors.Join(errs...)
}

func (s *Servers) connections() []*connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*connection(nil), s.all...)
}

// list opens the server where that is due, and returns its tools: what was listed before, unless that is old news.
func (c *connection) list(ctx context.Context) (tools []*mcp.Tool, fresh error) {
	c.opening.Lock()
	defer c.opening.Unlock()
	if c.tools != nil && !c.stale.Swap(false) {
		return c.tools, nil
	}
	if c.err != nil && time.Since(c.tried) < Rest {
		return nil, nil
	}
	was := c.err
	c.tried = time.Now()
	if c.session == nil {
		if c.session, c.err = c.Open(ctx); c.err != nil {
			c.session = nil
			return nil, news(was, c.err)
		}
	}
	if c.tools, c.err = c.session.Tools(ctx); c.err == nil {
		c.err = affordable(c.tools)
	}
	if c.err != nil {
		c.session.Close()
		c.session, c.tools = nil, nil
		return nil, news(was, c.err)
	}
	if c.tools == nil {
		c.tools = []*mcp.Tool{}
	}
	return c.tools, nil
}

// news is err, unless it was known.
func news(was, err error) error {
	if was != nil && was.Error() == err.Error() {
		return nil
	}
	return err
}

// lost forgets a session that broke, so that the next list opens another.
func (c *connection) lost(session *client.Session) {
	c.opening.Lock()
	defer c.opening.Unlock()
	if c.session == session && session != nil {
		go session.Close() // it may wait for an answer that does not come
		c.session, c.tools = nil, nil
	}
}

func (c *connection) current() *client.Session {
	c.opening.Lock()
	defer c.opening.Unlock()
	return c.session
}
