// Package oauth holds the words of the wire that every OAuth party shares: clients, resource servers and
// authorization servers.
//
// It opens no connection and keeps no state: values, their exact spelling, and strict parsers.
//
//	errors         RFC 6749, section 5.2     errors.go
//	challenges     RFC 6750, RFC 9728        challenge.go
//	documents      RFC 8414, RFC 9728        metadata.go
//	PKCE           RFC 7636                  pkce.go
//	registration   RFC 7591                  registration.go
//	claims         RFC 7519 and others       claims.go
package oauth
