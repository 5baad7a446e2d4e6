package mcpserver

// SDKOnly switches the fast path off, for tests that compare both ways.
func (h *Handler) SDKOnly() { h.fast.off = true }
