package devidp

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// Cancel is the choice on the sign-in page that refuses the client.
const Cancel = "deny"

// ErrRefused reports that the sign-in page, rather than the client, was told no.
var ErrRefused = errors.New("devidp: the page refused")

// Visitor is a person with a browser, for tests and demonstrations: it opens sign-in pages and chooses on them. Each
// Visitor has cookies of its own. The zero value is ready for use.
type Visitor struct {
	Transport http.RoundTripper // nil means [http.DefaultTransport]
	client    *http.Client
}

var (
	hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	formAction  = regexp.MustCompile(`<form method="post" action="([^"]*)">`)
	problemText = regexp.MustCompile(`role="alert"><strong>([^<]*)</strong>`)
)

// SignIn opens authURL, the address of an authorization request, and chooses user on the page, or [Cancel]. It returns
// the redirect URI with the answer in its query or fragment, without opening it. When the page refuses the error is
// ErrRefused with the page's words.
func (v *Visitor) SignIn(ctx context.Context, authURL, user string) (*url.URL, error) {
	return v.choose(ctx, authURL, user)
}

// ApproveDevice opens the verification address of a device flow, types userCode and chooses user, or [Cancel].
func (v *Visitor) ApproveDevice(ctx context.Context, verificationURI, userCode, user string) error {
	sep := "?"
	if strings.Contains(verificationURI, "?") {
		sep = "&"
	}
	_, err := v.choose(ctx, verificationURI+sep+url.Values{"user_code": {userCode}}.Encode(), user)
	return err
}

// choose opens a page and posts its form with one choice.
func (v *Visitor) choose(ctx context.Context, page, choice string) (*url.URL, error) {
	res, body, err := v.do(ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, err
	}
	if to, ok := redirected(res); ok {
		return to, nil
	}
	action := formAction.FindStringSubmatch(body)
	if res.StatusCode != http.StatusOK || action == nil {
		return nil, refusedBy(res, body)
	}
	form := url.Values{"choice": {choice}}
	for _, field := range hiddenInput.FindAllStringSubmatch(body, -1) {
		form.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	to, err := res.Request.URL.Parse(html.UnescapeString(action[1]))
	if err != nil {
		return nil, fmt.Errorf("devidp: form of %s: %w", page, err)
	}
	res, body, err = v.do(ctx, http.MethodPost, to.String(), form)
	if err != nil {
		return nil, err
	}
	if to, ok := redirected(res); ok {
		return to, nil
	}
	if res.StatusCode != http.StatusOK {
		return nil, refusedBy(res, body)
	}
	return nil, nil
}

func (v *Visitor) do(ctx context.Context, method, to string, form url.Values) (*http.Response, string, error) {
	if v.client == nil {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return nil, "", fmt.Errorf("devidp: visitor: %w", err)
		}
		v.client = &http.Client{Transport: v.Transport, Jar: jar,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	req, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", fmt.Errorf("devidp: visitor: %w", err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	res, err := v.client.Do(req)
	if err != nil {
		return nil, "", fmt.Errorf("devidp: visitor: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res, string(body), err
}

func redirected(res *http.Response) (*url.URL, bool) {
	to, err := res.Location()
	return to, err == nil && res.StatusCode/100 == 3
}

func refusedBy(res *http.Response, body string) error {
	words := "status " + res.Status
	if m := problemText.FindStringSubmatch(body); m != nil {
		words = html.UnescapeString(m[1])
	}
	return fmt.Errorf("%w: %s", ErrRefused, words)
}
