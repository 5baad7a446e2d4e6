package cli_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

const providers key = "providers"

// person is a browser, as BROWSER names one: the user that PERSON names signs in at a page of a development provider, and
// the answer is brought to where it belongs.
func person() {
	to, err := new(devidp.Visitor).SignIn(context.Background(), os.Args[1], os.Getenv("PERSON"))
	if err == nil && to != nil {
		var resp *http.Response
		if resp, err = http.Get(to.String()); err == nil {
			resp.Body.Close()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// byHand is a person who reads what the program says on stdin, and says it again on stdout. The page is opened by hand once
// the program says that no browser opens.
func byHand() {
	page := ""
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(lines.Text())
		if m := shownPage.FindStringSubmatch(lines.Text()); m != nil {
			page = m[1]
		}
		if strings.HasPrefix(lines.Text(), "No browser opens") {
			os.Args = []string{"person", page}
			person()
		}
	}
}

// provider starts a development provider inside the test, whose faults a script can command:
//
//	provider NAME [entra] [opaque]    sets $NAME_issuer and, with entra, $NAME_audience
func provider(ts *testscript.TestScript, _ bool, args []string) {
	o := devidp.Options{DeviceInterval: time.Second, Around: suite.Watch}
	for _, word := range args[1:] {
		switch word {
		case "entra":
			o.Character = devidp.Entra
		case "opaque":
			o.Opaque = true
		default:
			ts.Fatalf("provider %s: what is %q?", args[0], word)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	p, err := devidp.Start(ctx, "127.0.0.1:0", o)
	ts.Check(err)
	ts.Defer(func() { cancel(); p.Wait() })
	ts.Value(providers).(map[string]*devidp.Running)[args[0]] = p
	ts.Setenv(args[0]+"_issuer", p.Issuer())
	ts.Setenv(args[0]+"_audience", devidp.EntraAPI)
}

// fault commands a fault of a provider:
//
//	fault NAME skew DURATION | lifetime DURATION | down | disable USER | revoke USER | block-device-flow
func fault(ts *testscript.TestScript, neg bool, args []string) {
	f := ts.Value(providers).(map[string]*devidp.Running)[args[0]].Faults()
	length := func() time.Duration {
		d, err := time.ParseDuration(args[2])
		ts.Check(err)
		return d
	}
	switch args[1] {
	case "skew":
		f.SetClockSkew(length())
	case "lifetime":
		f.SetTokenLifetime(length())
	case "down":
		f.SetDown(!neg)
	case "disable":
		f.SetDisabled(args[2], !neg)
	case "revoke":
		f.RevokeSignIns(args[2])
	case "block-device-flow":
		f.SetDeviceFlowBlocked(!neg)
	default:
		ts.Fatalf("fault: what is %q?", args[1])
	}
}

// mint lets a user of a provider sign in by device code, and writes what comes of it into files:
//
//	mint NAME USER SCOPES [RESOURCE]    writes access.NAME, id.NAME and refresh.NAME
func mint(ts *testscript.TestScript, _ bool, args []string) {
	p := ts.Value(providers).(map[string]*devidp.Running)[args[0]]
	var metadata struct {
		Token  string `json:"token_endpoint"`
		Device string `json:"device_authorization_endpoint"`
	}
	get(ts, p.Issuer()+"/.well-known/openid-configuration", &metadata)
	form := url.Values{"client_id": {devidp.ClientCLI}, "scope": {args[2]}}
	if len(args) > 3 {
		form.Set("resource", args[3])
	}
	var code struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
	}
	post(ts, metadata.Device, form, &code)
	ts.Check(p.ApproveDevice(code.UserCode, args[1]))
	var tokens struct {
		Access  string `json:"access_token"`
		ID      string `json:"id_token"`
		Refresh string `json:"refresh_token"`
	}
	form.Set("grant_type", "urn:ietf:params:oauth:grant-type:device_code")
	form.Set("device_code", code.DeviceCode)
	post(ts, metadata.Token, form, &tokens)
	for name, token := range map[string]string{"access": tokens.Access, "id": tokens.ID, "refresh": tokens.Refresh} {
		suite.Learn(name+" token", token)
		ts.Check(os.WriteFile(ts.MkAbs(name+"."+args[0]), []byte(token), 0o600))
	}
}

// bycode runs fastmcp-auth with ARG…, which is to show a device code, lets a user of a provider enter it, and expects this
// exit code. Its stderr is then the file bycode.stderr:
//
//	bycode CODE PROVIDER USER ARG…
func bycode(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	p := ts.Value(providers).(map[string]*devidp.Running)[args[1]]
	cmd := exec.Command(filepath.Join(binDir(ts), "fastmcp-auth"), args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(ofHome(ts.Getenv("HOME")), "CI=", "FASTMCP_AUTH_CLIENT_ID="+ts.Getenv("FASTMCP_AUTH_CLIENT_ID"))
	said := &heard{more: make(chan struct{}, 1)}
	cmd.Stderr = said
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	entered := false
	for {
		select {
		case <-said.more:
			if code := userCode.FindStringSubmatch(said.String()); code != nil && !entered {
				ts.Check(p.ApproveDevice(code[1], args[2]))
				entered = true
			}
		case err := <-ended:
			ts.Check(os.WriteFile(ts.MkAbs("bycode.stderr"), []byte(said.String()), 0o600))
			if got := codeOf(ts, err); got != want || !entered {
				ts.Fatalf("exit code %d, want %d; the code was entered: %v\n%s", got, want, entered, said.String())
			}
			return
		}
	}
}

var userCode = regexp.MustCompile(`(?m)^  enter (\S+)$`)

func get(ts *testscript.TestScript, at string, into any) {
	resp, err := http.Get(at)
	ts.Check(err)
	read(ts, resp, into)
}

func post(ts *testscript.TestScript, at string, form url.Values, into any) {
	resp, err := http.PostForm(at, form)
	ts.Check(err)
	read(ts, resp, into)
}

func read(ts *testscript.TestScript, resp *http.Response, into any) {
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("%s answers %s", resp.Request.URL, resp.Status)
	}
	ts.Check(json.NewDecoder(resp.Body).Decode(into))
}

// secretless fails where one of the files' contents stands in what was written last:
//
//	secretless FILE…
func secretless(ts *testscript.TestScript, _ bool, args []string) {
	said := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	for _, name := range args {
		secret := strings.TrimSpace(ts.ReadFile(name))
		if len(secret) < 16 {
			ts.Fatalf("%s holds no secret", name)
		}
		// The last part of a JWT is its signature: whoever has it and the claims has the token.
		if parts := strings.Split(secret, "."); len(parts) == 3 {
			secret = parts[2]
		}
		if strings.Contains(said, secret) {
			ts.Fatalf("%s is shown", name)
		}
	}
}
