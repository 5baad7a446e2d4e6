// Package openai asks language models that speak OpenAI's chat completions: OpenAI, Azure OpenAI, and whoever else answers
// as they do, such as Ollama and vLLM.
//
// It keeps no conversation and runs no tools: it is an agent.Model. A key goes to the configured address alone, and over
// plain http only to this machine.
//
//	who is asked, and with which key     openai.go
//	one answer, piece by piece           stream.go
//	what an error means                  fault.go
//	models on this machine               local.go
package openai

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sashabaranov/go-openai"
	"golang.org/x/oauth2"
)

const (
	// DefaultURL is where OpenAI answers.
	DefaultURL = "https://api.openai.com/v1"
	// DefaultAzureVersion is the version of Azure's interface that is asked for where nobody says another.
	DefaultAzureVersion = "2024-10-21"

	silence   = 2 * time.Minute // of a model, before the first byte and between two
	longest   = time.Hour       // of one answer, though it goes on and on
	maxError  = 64 << 10        // bytes of an answer that is an error
	maxAnswer = 64 << 20        // bytes on the wire: a few hundred for each token
	maxLine   = 8 << 20         // bytes of one piece
	maxSaid   = 8 << 20         // bytes of text and arguments in one answer
	maxCalls  = 1000            // in one answer
)

// Config says who is asked. Model is needed.
type Config struct {
	// URL is the base of the interface, such as "https://api.openai.com/v1"; empty means OpenAI's.
	URL string
	// Model is the model's name; at Azure that of the deployment.
	Model string
	// Key proves who asks; empty sends none, as servers on this machine want it.
	Key string
	// Token gives a token in place of a key, such as one of Entra ID for Azure; nil means none. It is asked before each
	// question to the model, may sign somebody in, and must end with ctx.
	Token func(ctx context.Context) (*oauth2.Token, error)
	// Azure says that URL is an Azure OpenAI resource, such as "https://name.openai.azure.com". One that ends with /openai/v1
	// is spoken to as OpenAI is.
	Azure bool
	// AzureVersion is the version of its interface; empty means DefaultAzureVersion.
	AzureVersion string
	// HTTPClient lends its Transport; nil means http.DefaultTransport.
	HTTPClient *http.Client
}

// Model is one model. It is safe for concurrent use.
type Model struct {
	name   string
	key    string // so that it can be kept out of what is said
	token  func(ctx context.Context) (*oauth2.Token, error)
	client *openai.Client
}

// New checks c. It asks nobody.
func New(c Config) (*Model, error) {
	if c.Model == "" {
		return nil, errors.New("openai: Config.Model is needed")
	}
	if c.URL == "" {
		c.URL = DefaultURL
	}
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("openai: Config.URL is no http or https URL without user, query and fragment")
	}
	if base.Scheme == "http" && !isLoopback(base.Hostname()) && (c.Key != "" || c.Token != nil) {
		return nil, fmt.Errorf("openai: a key is not sent to %s over plain http", base.Host)
	}
	var oc openai.ClientConfig
	if c.Azure && !strings.HasSuffix(strings.TrimSuffix(base.Path, "/"), "/openai/v1") {
		oc = openai.DefaultAzureConfig(c.Key, strings.TrimSuffix(c.URL, "/"))
		oc.APIVersion = DefaultAzureVersion
		if c.AzureVersion != "" {
			oc.APIVersion = c.AzureVersion
		}
		oc.AzureModelMapperFunc = func(model string) string { return model }
	} else {
		oc = openai.DefaultConfig(c.Key)
		oc.BaseURL = strings.TrimSuffix(c.URL, "/")
	}
	oc.EmptyMessagesLimit = maxAnswer // comments that keep a slow answer alive are no error; bytes are counted
	transport := http.DefaultTransport
	if c.HTTPClient != nil && c.HTTPClient.Transport != nil {
		transport = c.HTTPClient.Transport
	}
	oc.HTTPClient = &asking{
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		bare:   c.Key == "",
	}
	return &Model{name: c.Model, key: c.Key, token: c.Token, client: openai.NewClientWithConfig(oc)}, nil
}

// Name is what the model is called.
func (m *Model) Name() string { return m.name }

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// note begins a request, with a token where tokens are wanted.
func (m *Model) note(ctx context.Context) (*noted, error) {
	if m.token == nil {
		return &noted{}, nil
	}
	token, err := m.token(ctx)
	if err != nil {
		return nil, fmt.Errorf("get a token for the model %s: %w", m.name, err)
	}
	return &noted{token: token}, nil
}

// asking sends requests: with a token where there is one, and without an empty key; it follows no redirect, bounds what
// comes back, and tells the request's note what the library leaves out.
type asking struct {
	client *http.Client
	bare   bool
}

// noted goes along with a request: whose it is, and what the answer's header says.
type noted struct {
	token      *oauth2.Token // nil means that there is a key, or nothing
	status     int
	retryAfter time.Duration
	heard      func() // called with each piece that comes; may be nil
}

type noteKey struct{}

func (a *asking) Do(r *http.Request) (*http.Response, error) {
	if a.bare {
		r.Header.Del("Authorization")
		r.Header.Del(openai.AzureAPIKeyHeader)
	}
	n, _ := r.Context().Value(noteKey{}).(*noted)
	if n != nil && n.token != nil {
		n.token.SetAuthHeader(r)
	}
	res, err := a.client.Do(r)
	if err != nil {
		return nil, err
	}
	if n != nil {
		n.status, n.retryAfter = res.StatusCode, retryAfter(res.Header, time.Now())
	}
	if res.StatusCode/100 == 3 {
		res.Body.Close()
		return nil, errRedirect
	}
	if res.StatusCode/100 != 2 {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxError), res.Body}
		return res, nil
	}
	res.Body = &listened{ReadCloser: res.Body, note: n}
	return res, nil
}

// listened is an answer that is bounded, and whose pieces are heard.
type listened struct {
	io.ReadCloser
	note       *noted
	read, line int // bytes, altogether and since the last line end
}

func (l *listened) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if n > 0 && l.note != nil && l.note.heard != nil {
		l.note.heard()
	}
	l.read += n
	l.line += n
	if end := bytes.LastIndexByte(p[:n], '\n'); end >= 0 {
		l.line = n - end - 1
	}
	switch {
	case l.line > maxLine:
		return 0, errTooLong
	case l.read > maxAnswer:
		return 0, errTooMuch
	}
	return n, err
}

// impatient returns a context that ends when renew is not called for so long, and after the longest time.
func impatient(ctx context.Context) (_ context.Context, renew func(), stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	quiet := time.AfterFunc(silence, func() { cancel(errSilent) })
	hard := time.AfterFunc(longest, func() { cancel(errEndless) })
	return ctx, func() { quiet.Reset(silence) }, func() { quiet.Stop(); hard.Stop(); cancel(nil) }
}

var (
	errRedirect = errors.New("a redirect, which is not followed with a key")
	errSilent   = fmt.Errorf("it says nothing for %s", silence)
	errEndless  = fmt.Errorf("it speaks for %s and is not done", longest)
	errTooLong  = fmt.Errorf("the answer has more than %d MiB", maxSaid>>20)
	errTooMuch  = fmt.Errorf("the answer takes more than %d MiB to send", maxAnswer>>20)
)
