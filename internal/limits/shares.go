package limits

import "sync"

// Shares counts what is in use at a time, by all and by each user.
type Shares struct {
	max, maxPerUser int

	mu      sync.Mutex
	open    int
	perUser map[string]int
}

// NewShares returns shares of max in all and maxPerUser for each user.
func NewShares(max, maxPerUser int) *Shares {
	return &Shares{max: max, maxPerUser: maxPerUser, perUser: map[string]int{}}
}

// Enter reports whether there is room for one more. The bound for each user does not bind where nobody signs in.
func (s *Shares) Enter(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= s.max || key != "" && s.perUser[key] >= s.maxPerUser {
		return false
	}
	s.open++
	s.perUser[key]++
	return true
}

// Leave gives back what Enter took.
func (s *Shares) Leave(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if s.perUser[key]--; s.perUser[key] == 0 {
		delete(s.perUser, key)
	}
}

// Open is how many are in use.
func (s *Shares) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}
