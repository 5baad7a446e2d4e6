package cli_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// service is a server as a service manager starts it.
type service struct {
	cmd    *exec.Cmd
	addr   string
	stderr bytes.Buffer
}

// started runs serve with these arguments and waits for its ready line.
func started(t *testing.T, env []string, args ...string) *service {
	t.Helper()
	s := &service{cmd: exec.Command("fastmcp-auth", append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)}
	s.cmd.Dir = t.TempDir()
	s.cmd.Env = append(ofHome(s.cmd.Dir), env...)
	s.cmd.Stderr = &s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill(); s.cmd.Wait() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var ready struct{ Addr string }
	if err != nil || json.Unmarshal(line, &ready) != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		t.Fatalf("no ready line: %v\n%s", err, s.stderr.String())
	}
	s.addr = ready.Addr
	return s
}

// TestServiceManagerIsTold speaks to the server as systemd does to a service of Type=notify.
func TestServiceManagerIsTold(t *testing.T) {
	dir, err := os.MkdirTemp("", "notify") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	hears := func(want string) {
		t.Helper()
		got := make([]byte, 4096)
		n, err := conn.Read(got)
		if err != nil || string(got[:n]) != want {
			t.Fatalf("the manager heard %q, %v; want %q", got[:n], err, want)
		}
	}

	s := started(t, []string{"NOTIFY_SOCKET=" + socket})
	hears("READY=1")
	s.cmd.Process.Signal(syscall.SIGHUP)
	hears("RELOADING=1")
	hears("READY=1")
	s.cmd.Process.Signal(syscall.SIGTERM)
	hears("STOPPING=1")
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestServiceManagerThatIsGone(t *testing.T) {
	s := started(t, []string{"NOTIFY_SOCKET=" + filepath.Join(t.TempDir(), "none")})
	s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(s.stderr.String(), "the service manager could not be told") {
		t.Errorf("nothing in the log:\n%s", s.stderr.String())
	}
}

func TestHealthBehindTLS(t *testing.T) {
	cert, key := pair(t, "mcp.example.com")
	otherCert, otherKey := pair(t, "mcp.example.com")
	s := started(t, nil, "--tls-cert", cert, "--tls-key", key)
	ask := func(cert, key string) (string, error) {
		out, err := exec.Command("fastmcp-auth", "health", "--addr", s.addr, "--tls-cert", cert, "--tls-key", key).CombinedOutput()
		return string(out), err
	}
	if out, err := ask(cert, key); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	// Whoever answers there in the server's place is not taken for it.
	if out, err := ask(otherCert, otherKey); err == nil || !strings.Contains(out, "another certificate") {
		t.Errorf("a server with another certificate: %v\n%s", err, out)
	}
}

// pair writes a certificate for name and its key, and returns their paths.
func pair(t *testing.T, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(file, kind string, der []byte) string {
		path := filepath.Join(dir, file)
		var text bytes.Buffer
		pem.Encode(&text, &pem.Block{Type: kind, Bytes: der})
		if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", signed), write("key.pem", "PRIVATE KEY", der)
}
