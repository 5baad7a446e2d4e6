package advice

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// Trouble is why a network did not bring an answer.
type Trouble string

const (
	NoTrouble    Trouble = ""             // the error is of another kind
	NameUnknown  Trouble = "name_unknown" // there is no such host
	NameService  Trouble = "name_service" // the name service itself does not answer
	Proxied      Trouble = "proxy"        // the proxy is at fault
	Refused      Trouble = "refused"      // nothing listens there
	NoRoute      Trouble = "no_route"     // no way leads there
	CutOff       Trouble = "cut_off"      // the other side hung up
	TimedOut     Trouble = "timeout"      // nobody answered in time
	UnknownCA    Trouble = "unknown_ca"   // no authority that is trusted here signed the certificate
	CertOver     Trouble = "cert_expired" // the certificate has expired
	CertEarly    Trouble = "cert_early"   // the certificate is not valid yet
	CertName     Trouble = "cert_name"    // the certificate is another host's
	CertBad      Trouble = "cert_bad"     // the certificate may not be used for this
	NotTLS       Trouble = "not_tls"      // the other side does not speak TLS
	TLSRefused   Trouble = "tls_refused"  // the two sides do not agree
	OtherNetwork Trouble = "network"      // something else on the way
)

// How further authorities are given.
const caWay = "--ca-file (setting ca_file)"

// closedIdle is what net/http says where the other side hung up before the request was sent; it exports no such error.
const closedIdle = "http: server closed idle connection"

// Network says what err means if it comes from the way to a server: names, proxy, connection, TLS, time. It reports
// [NoTrouble] for errors of another kind, those of cancelling among them.
func Network(err error) (Trouble, Advice) {
	var name *net.DNSError
	var op *net.OpError
	switch trouble, cert := certificate(err); {
	case err == nil, errors.Is(err, context.Canceled):
		return NoTrouble, Advice{}
	case trouble != NoTrouble:
		return trouble, cert
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return Proxied, Advice{Cause: "the proxy does not let the request through", Cure: "check HTTPS_PROXY, or name the host in NO_PROXY"}
	case errors.As(err, &name) && !name.IsNotFound:
		return NameService, Advice{Cause: "the name service does not answer", Cure: "check the network of this machine", Next: Again}
	case errors.As(err, &name):
		return NameUnknown, Advice{Cause: fmt.Sprintf("there is no host %s", orElse(id(name.Name), "of that name")), Cure: "check the spelling of the URL; names inside a company may need its network or VPN"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused, Advice{Cause: "nothing listens there" + where(err), Cure: "start the server, or check host and port of the URL"}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.ENETDOWN):
		return NoRoute, Advice{Cause: "no way leads there" + where(err), Cure: "check the network of this machine, or its VPN"}
	case isTimeout(err):
		return TimedOut, Advice{Cause: "nobody answered in time", Cure: "see whether a firewall stands between, or whether a proxy is needed (HTTPS_PROXY)", Next: Again}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		strings.HasSuffix(err.Error(), closedIdle):
		return CutOff, Advice{Cause: "the other side hung up without an answer", Cure: "see the log of the server, or of what stands before it", Next: Again}
	case errors.As(err, &op) && op.Op != "listen":
		return OtherNetwork, Advice{Cause: "the network does not bring an answer", Cure: "check the network of this machine", Next: Again}
	}
	return NoTrouble, Advice{}
}

// certificate says what is wrong with TLS.
func certificate(err error) (Trouble, Advice) {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &authority):
		return UnknownCA, Advice{Cause: "the certificate is signed by " + issuerOf(authority.Cert) + ", which this machine does not trust",
			Cure: "give the authority's certificate as a PEM file, " + caWay + "; the server must send its intermediate certificates itself"}
	case errors.As(err, &host):
		return CertName, Advice{Cause: fmt.Sprintf("the certificate is for %s, not for %s", namesOf(host.Certificate), orElse(id(host.Host), "this host")),
			Cure: "call the server by a name of its certificate, or give it a certificate for this name"}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore):
		return CertEarly, Advice{Cause: "the certificate is not valid before " + invalid.Cert.NotBefore.UTC().Format(time.RFC3339), Cure: "see whether the clock of this machine is right"}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return CertOver, Advice{Cause: "the certificate ended on " + invalid.Cert.NotAfter.UTC().Format(time.RFC3339), Cure: "renew the server's certificate; if it is new, see whether the clock of this machine is right"}
	case errors.As(err, &invalid):
		return CertBad, Advice{Cause: "the certificate may not be used for this", Cure: "give the server a certificate for TLS servers, signed by an authority that may sign it"}
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return NotTLS, Advice{Cause: "the other side does not speak TLS", Cure: "write http:// if the server is on this machine, or check the port"}
	case errors.As(err, &alert):
		return TLSRefused, Advice{Cause: "the server ends the handshake: " + alert.Error(), Cure: "see whether it wants a client certificate, or an older version of TLS"}
	}
	return NoTrouble, Advice{}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

// where is " (at address)", where the error says it.
func where(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Addr != nil {
		return " (" + op.Addr.String() + ")"
	}
	return ""
}

func issuerOf(c *x509.Certificate) string {
	if c == nil {
		return "an authority"
	}
	return orElse(words(c.Issuer.CommonName), orElse(words(c.Issuer.String()), "an authority without a name"))
}

// namesOf lists the first few names of a certificate.
func namesOf(c *x509.Certificate) string {
	if c == nil {
		return "another host"
	}
	var names []string
	for _, n := range c.DNSNames {
		names = append(names, words(n))
	}
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		names = []string{orElse(words(c.Subject.CommonName), "no host")}
	}
	if len(names) > 4 {
		names = append(names[:4], "…")
	}
	return strings.Join(names, ", ")
}

const maxWords = 80 // bytes of a stranger's name inside a sentence

// words makes a stranger's name safe to print.
func words(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, ""), func(r rune) bool { return r <= ' ' || r == 0x7f || r > 0x7f && !isLetter(r) }), " ")
	if len(s) > maxWords {
		s = strings.ToValidUTF8(s[:maxWords], "") + "…"
	}
	return s
}

func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }
