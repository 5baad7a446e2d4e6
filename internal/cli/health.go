package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/internal/app"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
)

// healthTime is how long a server may take to say that it is well.
const healthTime = 5 * time.Second

func healthCommand() *cobra.Command {
	var ready bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a server on this machine whether it is well",
		Long: "Asks /healthz of the server that the settings describe, over loopback, and says nothing when it is well. For container\n" +
			"images, which have no other program to ask with. With --ready it asks whether calls would be served.",
		Example: "  fastmcp-auth health\n  fastmcp-auth health --ready --addr :8000",
		Args:    usageArgs(cobra.NoArgs),
	}
	config.Flags(cmd.Flags(), config.Serve)
	cmd.Flags().BoolVar(&ready, "ready", false, "Ask /readyz instead: are the provider's keys at hand, and is it not going down?")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		settings, err := config.Load(config.Source{Command: config.Serve, Flags: cmd.Flags(), Tools: app.ToolNames()})
		if err != nil {
			return err
		}
		path := "/healthz"
		if ready {
			path = "/readyz"
		}
		return health(cmd.Context(), settings, path)
	}
	return cmd
}

// health asks the server that s describes for path. Anything but 200 is an error.
func health(ctx context.Context, s *config.Settings, path string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	transport := &http.Transport{Proxy: nil, DisableKeepAlives: true}
	url := "http://" + ownAddress(s.Addr) + path
	if s.TLS.Cert != "" {
		own, err := certificate(s.TLS.Cert)
		if err != nil {
			return err
		}
		url, transport.TLSClientConfig = "https"+url[len("http"):], onlyWith(own)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return &hintError{code: exitUnreachable, err: err, hint: "say the same --addr as to serve"}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return &hintError{code: exitFailed, err: fmt.Errorf("%s answers %s", url, resp.Status), hint: "read the log of the server"}
	}
	return nil
}

// ownAddress is how this machine reaches a server that listens on addr: over loopback, where it listens there too.
func ownAddress(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// onlyWith accepts the server that has this certificate, whatever names it is for: loopback's are not among them.
func onlyWith(own *x509.Certificate) *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			if !state.PeerCertificates[0].Equal(own) {
				return errors.New("the server has another certificate than tls.cert")
			}
			return nil
		},
	}
}

func certificate(path string) (*x509.Certificate, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(body)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM", path)
	}
	return x509.ParseCertificate(block.Bytes)
}
