package mcpserver

// Stats is how much there is now.
type Stats struct {
	Sessions      int // of the legacy era
	Streams       int // event streams that are open
	Subscriptions int // of the modern era
}

// Stats returns the numbers as they are now.
func (h *Handler) Stats() Stats {
	s := Stats{Streams: int(h.streams.Load())}
	h.sessions.mu.Lock()
	s.Sessions = len(h.sessions.byID)
	h.sessions.mu.Unlock()
	s.Subscriptions = h.subscriptions.Open()
	return s
}
