// Package arguments reads what a person typed for a tool, by the tool's own schema.
//
// It calls nothing and draws nothing. A schema is a stranger's document: how much of one is read is bounded, and what
// it does not say is left to the server.
//
//	schema      what a tool takes, from its JSON Schema            schema.go
//	parse       k=v, k:=json, k=@file, @file and - become one object    parse.go
//	value       one text becomes a value of the schema's type      value.go
//	signature   a tool on one line, and all of it                  signature.go
package arguments
