package mcpserver

import "sync"

// shares counts what is in use at a time, by all and by each user.
type shares struct {
	max, maxPerUser int

	mu      sync.Mutex
	open    int
	perUser map[string]int
}

func newShares(max, maxPerUser int) *shares {
	return &shares{max: max, maxPerUser: maxPerUser, perUser: map[string]int{}}
}

// enter reports whether there is room for one more. The bound for each user does not bind where nobody signs in.
func (s *shares) enter(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= s.max || key != "" && s.perUser[key] >= s.maxPerUser {
		return false
	}
	s.open++
	s.perUser[key]++
	return true
}

func (s *shares) leave(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if s.perUser[key]--; s.perUser[key] == 0 {
		delete(s.perUser, key)
	}
}
