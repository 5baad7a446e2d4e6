// Package mcptools offers the tools of MCP servers to an agent.
//
// It signs nobody in itself: how a session with a server is opened, and who signs in there, is the caller's function. A
// server that is down is reported, and the others go on without it.
//
//	open, and open again       servers.go
//	one list of many           list.go
//	a call, and its progress   call.go
package mcptools
