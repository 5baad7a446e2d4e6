package config

import "path/filepath"

// completeStore finds where the store is, and reads its key.
func (l *loader) completeStore(s *Store) {
	for _, path := range []*string{&s.Path, &s.KeyFile} {
		if *path != "" {
			*path = l.inDir(*path)
		}
	}
	if s.Kind == "sqlite" && s.Path == "" {
		s.usual = true
		if dir := l.stateDir(); dir != "" {
			s.Path = filepath.Join(dir, "serve.db")
		} else {
			s.Kind = "memory"
		}
	}
	if s.KeyFile == "" {
		return
	}
	s.key = l.secretFile("store.key_file", s.KeyFile)
	if n := len(s.key); n > 0 && n < 32 {
		l.blame("store.key_file", "%s has %d bytes; a key needs 32, such as openssl rand -hex 32 makes", s.KeyFile, n)
	}
}

// stateDir is where the system keeps the state of this program: STATE_DIRECTORY of systemd, else the XDG base directory
// specification's. Empty means that there is no such place.
func (l *loader) stateDir() string {
	environ := l.environ()
	if dir := filepath.SplitList(environ["STATE_DIRECTORY"].value); len(dir) > 0 && filepath.IsAbs(dir[0]) {
		return dir[0]
	}
	if dir := environ["XDG_STATE_HOME"].value; filepath.IsAbs(dir) {
		return filepath.Join(dir, "fastmcp-auth")
	}
	if dir := environ["HOME"].value; filepath.IsAbs(dir) {
		return filepath.Join(dir, ".local", "state", "fastmcp-auth")
	}
	if dir := environ["LOCALAPPDATA"].value; filepath.IsAbs(dir) {
		return filepath.Join(dir, "fastmcp-auth")
	}
	return ""
}

func (l *loader) checkStore(s *Store) {
	switch s.Kind {
	case "redis":
		if s.URL == "" {
			l.lacks("store.url", "a store in Redis needs its address")
		}
		if s.KeyFile == "" {
			l.lacks("store.key_file", "a store in Redis is sealed with a key that every server has")
		}
	case "sqlite":
		if s.URL != "" {
			l.blame("store.url", "means nothing with store.kind sqlite; set store.kind to redis, or leave it out")
		}
	}
}

// AgentDir is where conversations with the agent and what a person allowed it are kept; empty where the system says no
// place.
func (s *Settings) AgentDir() string {
	dir := s.loader.stateDir()
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "agent")
}
