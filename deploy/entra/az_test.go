package entra_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jmespath/go-jmespath"
)

// TestMain lets this test binary stand in for the Azure CLI: linked under the name az, it answers as az does, from the
// directory that AZ_STATE names.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "az" {
		os.Exit(az(os.Args[1:], os.Getenv("AZ_STATE"), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// state is what the stand-in remembers between two calls.
type state struct {
	Calls     []string // every call, as callName writes it
	Unknown   []string // calls that the real az would have refused
	SignedIn  bool
	Tenant    string
	Cloud     string
	Down      bool   // the directory cannot be reached
	MayCreate bool   // register applications
	MayGrant  bool   // consent for everybody
	Lag       int    // how many calls find a fresh object missing
	Lagging   int    // how many are left
	Directory *graph // what Microsoft Graph holds
}

func load(dir string) (*state, error) {
	b, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		return nil, err
	}
	s := &state{}
	return s, json.Unmarshal(b, s)
}

func (s *state) save(dir string) error {
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "state.json"), b, 0o600)
}

var clouds = map[string][]any{
	"AzureCloud":        {"https://login.microsoftonline.com", "https://graph.microsoft.com/"},
	"AzureUSGovernment": {"https://login.microsoftonline.us", "https://graph.microsoft.us/"},
	"AzureChinaCloud":   {"https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"},
	"AzureBleuCloud":    {"https://login.sovcloud-identity.fr", "https://graph.svc.sovcloud.fr"},
}

// az answers one call and returns the exit code.
func az(args []string, dir string, stdout, stderr io.Writer) int {
	s, err := load(dir)
	if err != nil {
		fmt.Fprintln(stderr, "stand-in:", err)
		return 99
	}
	code := s.run(args, stdout, stderr)
	if err := s.save(dir); err != nil {
		fmt.Fprintln(stderr, "stand-in:", err)
		return 99
	}
	return code
}

func (s *state) run(args []string, stdout, stderr io.Writer) int {
	call, err := parse(args)
	if err != nil {
		s.Unknown = append(s.Unknown, strings.Join(args, " ")+": "+err.Error())
		fmt.Fprintln(stderr, "ERROR:", err)
		return 2
	}
	s.Calls = append(s.Calls, call.String())
	var answer any
	switch call.command {
	case "account show":
		if !s.SignedIn {
			fmt.Fprintln(stderr, "ERROR: Please run 'az login' to setup account.")
			return 1
		}
		answer = map[string]any{"tenantId": s.Tenant, "environmentName": s.Cloud}
	case "cloud show":
		answer = map[string]any{"name": s.Cloud, "endpoints": map[string]any{
			"activeDirectory": clouds[s.Cloud][0], "microsoftGraphResourceId": clouds[s.Cloud][1]}}
	case "rest":
		if s.Down {
			fmt.Fprintln(stderr, "ERROR: HTTPSConnectionPool(host='graph.microsoft.com', port=443): Max retries exceeded with url: /v1.0/applications")
			return 1
		}
		var refusal *refusal
		if answer, refusal = s.rest(call); refusal != nil {
			fmt.Fprintf(stderr, "ERROR: %s({\"error\":{\"code\":%q,\"message\":%q}})\n", refusal.status, refusal.code, refusal.message)
			return 1
		}
		if answer == nil {
			return 0 // 204: az prints nothing
		}
	}
	if call.query != "" {
		if answer, err = jmespath.Search(call.query, answer); err != nil {
			s.Unknown = append(s.Unknown, call.query+": "+err.Error())
			fmt.Fprintln(stderr, "ERROR: argument --query: invalid jmespath_type value:", err)
			return 2
		}
	}
	fmt.Fprint(stdout, format(answer, call.output))
	return 0
}

// rest hands a call of az rest to the directory, if it goes there.
func (s *state) rest(call *call) (any, *refusal) {
	base := strings.TrimSuffix(clouds[s.Cloud][1].(string), "/") + "/v1.0/"
	path, ok := strings.CutPrefix(call.url, base)
	if !ok {
		return nil, &refusal{"Bad Request", "WrongCloud", call.url + " is not below " + base}
	}
	if s.Lagging > 0 && call.method != "DELETE" && strings.Contains(path, "/") {
		s.Lagging--
		return nil, &refusal{"Not Found", "Request_ResourceNotFound", "Resource does not exist or one of its queried reference-property objects are not present."}
	}
	switch creates := call.method == "POST"; {
	case creates && path == "applications" && !s.MayCreate, creates && path == "oauth2PermissionGrants" && !s.MayGrant:
		return nil, &refusal{"Forbidden", "Authorization_RequestDenied", "Insufficient privileges to complete the operation."}
	case creates && path == "applications":
		s.Lagging = s.Lag
	case call.method == "PATCH" && strings.HasPrefix(path, "oauth2PermissionGrants/") && !s.MayGrant:
		return nil, &refusal{"Forbidden", "Authorization_RequestDenied", "Insufficient privileges to complete the operation."}
	}
	return s.Directory.serve(call.method, path, call.parameters, call.body)
}

// call is one call of az, read as strictly as az reads it.
type call struct {
	command, method, url, query, output string
	parameters                          url.Values
	body                                map[string]any
}

func parse(args []string) (*call, error) {
	c := &call{output: "json", parameters: url.Values{}}
	words := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "-") })
	if words < 0 {
		words = len(args)
	}
	c.command = strings.Join(args[:words], " ")
	if !slices.Contains([]string{"account show", "cloud show", "rest"}, c.command) {
		return nil, fmt.Errorf("'%s' is misspelled or not recognized by the system", c.command)
	}
	for args = args[words:]; len(args) > 0; {
		flag := args[0]
		values := 1
		for values < len(args) && !strings.HasPrefix(args[values], "--") {
			values++
		}
		given := args[1:values]
		args = args[values:]
		switch {
		case flag == "--only-show-errors" && len(given) == 0:
		case flag == "--url-parameters" && c.command == "rest" && len(given) > 0:
			for _, p := range given {
				key, value, ok := strings.Cut(p, "=")
				if !ok {
					return nil, fmt.Errorf("%q is not KEY=VALUE", p)
				}
				c.parameters.Set(key, value)
			}
		case len(given) != 1:
			return nil, fmt.Errorf("argument %s: expected one argument", flag)
		case flag == "--query":
			c.query = given[0]
		case flag == "--output" && (given[0] == "tsv" || given[0] == "json"):
			c.output = given[0]
		case flag == "--method" && c.command == "rest" && slices.Contains([]string{"GET", "POST", "PATCH", "DELETE"}, given[0]):
			c.method = given[0]
		case flag == "--url" && c.command == "rest":
			c.url = given[0]
		case flag == "--body" && c.command == "rest":
			if err := json.Unmarshal([]byte(given[0]), &c.body); err != nil {
				return nil, fmt.Errorf("--body is not JSON: %w", err)
			}
		default:
			return nil, fmt.Errorf("unrecognized arguments: %s %s", flag, strings.Join(given, " "))
		}
	}
	if c.command == "rest" && (c.method == "" || c.url == "") {
		return nil, fmt.Errorf("az rest needs --method and --url")
	}
	return c, nil
}

// String is a call as the tests write it: the command, or the method with the path and the filter.
func (c *call) String() string {
	if c.command != "rest" {
		return c.command
	}
	_, path, _ := strings.Cut(c.url, "/v1.0/")
	if filter := c.parameters.Get("$filter"); filter != "" {
		path += " where " + filter
	}
	return c.method + " " + path
}

// format prints as the Azure CLI does: JSON, or its tab-separated text, in which a list is one item a line, a missing
// value is None, and truth is lower case on a line of its own.
func format(answer any, output string) string {
	if output == "json" {
		b, _ := json.MarshalIndent(answer, "", "  ")
		return string(b) + "\n"
	}
	rows, isList := answer.([]any)
	if !isList {
		if answer == nil {
			return ""
		}
		rows = []any{answer}
	}
	var out strings.Builder
	for _, row := range rows {
		switch row := row.(type) {
		case bool:
			fmt.Fprintln(&out, row)
		case []any:
			for i, cell := range row {
				if i > 0 {
					out.WriteByte('\t')
				}
				out.WriteString(cellText(cell))
			}
			out.WriteByte('\n')
		default:
			fmt.Fprintln(&out, cellText(row))
		}
	}
	return out.String()
}

func cellText(cell any) string {
	switch cell := cell.(type) {
	case nil:
		return "None"
	case bool:
		return map[bool]string{true: "True", false: "False"}[cell]
	case []any:
		return fmt.Sprint(len(cell))
	case map[string]any:
		return ""
	default:
		return fmt.Sprint(cell)
	}
}
