package config

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

func TestTheSettingsFileIsReadStrictly(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"an empty file is fine", "", ""},
		{"a file of comments is fine", "# addr: x\n", ""},
		{"an empty document is fine", "---\n", ""},
		{"a section with nothing below it is fine", "provider:\n#  kind: entra\n", ""},
		{"an empty list is fine", "allowed_hosts: []\n", ""},
		{"lines that end as on Windows are fine", "reverse:\r\n  duration: 2s\r\n", ""},
		{"a byte order mark is fine", "\ufeffreverse:\n  duration: 2s\n", ""},
		{"a list instead of keys", "- addr\n", `f.yaml:1:1: the file: is a list; write keys below it`},
		{"a text instead of keys", "hello\n", `f.yaml:1:1: the file: is a text; write keys below it`},
		{"a section that is a text", "provider: entra\n", `f.yaml:1:11: provider: is a text; write keys below it`},
		{"a setting that is a section", "addr:\n  host: x\n", `f.yaml:1:1: addr: is a mapping; write one value`},
		{"a setting without a value", "addr:\n", `f.yaml:1:1: addr: is empty; give a value, or leave it out`},
		{"a text where a list belongs", "allowed_hosts: a.example\n", `f.yaml:1:1: allowed_hosts: is a text; write a list, such as [one, two]`},
		{"a number inside a list", "provider:\n  audience: [x, 12]\n", `f.yaml:2:3: provider.audience: has a number as item 2; write a text, in quotes if need be`},
		{"a tool with a text for scopes", "scopes:\n  tools:\n    a: execute\n", `f.yaml:3:5: scopes.tools.a: is a text; write a list, such as [one, two]`},
		{"a tool without scopes", "scopes:\n  tools:\n    a: []\n", `f.yaml:2:3: scopes.tools: the tool "a" needs at least one scope and at most 256`},
		{"a tool twice", "scopes:\n  tools:\n    a: [x]\n    a: [y]\n", `f.yaml:4:5: scopes.tools.a: stands twice; the first is in line 3`},
		{"a key twice", "addr: 127.0.0.1:1\naddr: 127.0.0.1:2\n", `f.yaml:2:1: addr: stands twice; the first is in line 1`},
		{"a section twice", "log: {level: info}\nlog: {format: json}\n", `f.yaml:2:1: log: stands twice; the first is in line 1`},
		{"a boolean by another word", "no_auth: yes\n", `f.yaml:1:1: no_auth: is neither true nor false; write one of them, without quotes`},
		{"a boolean in capitals", "no_auth: True\n", `f.yaml:1:1: no_auth: "True" is neither true nor false`},
		{"a number in octal", "limits:\n  sessions: 0777\n", `f.yaml:2:3: limits.sessions: "0777" is no whole number`},
		{"a date", "provider:\n  realm: 2026-01-01\n", `f.yaml:2:3: provider.realm: is a date to YAML; put quotes round it`},
		{"a tag of its own", "addr: !mine x\n", `f.yaml:1:1: addr: is of an unknown type to YAML; put quotes round it`},
		{"a key that is a number", "1: x\n", `f.yaml:1:1: the file: has a key that is a number; write a name`},
		{"a key that is a list", "? [a]\n: x\n", `f.yaml:1:3: the file: has a key that is a list; write a name`},
		{"an alias", "idp: &x {addr: '127.0.0.1:1'}\nlog: *x\n", `f.yaml:2:6: log: is an alias, which is not read here; write keys below it`},
		{"an alias as a value", "addr: &x '127.0.0.1:1'\nprovider: {realm: *x}\n", `f.yaml:2:12: provider.realm: is an alias, which is not read here; write one value`},
		{"a merge", "log: &x {level: info}\nidp:\n  <<: *x\n", `f.yaml:3:3: idp: has a key that is a merge, which is not read here; write a name`},
		{"two documents", "addr: 127.0.0.1:1\n---\naddr: 127.0.0.1:2\n", `f.yaml: has more than one document; leave --- out`},
		{"broken YAML", "addr: [\n", `f.yaml: is no YAML: line 1: did not find expected node content`},
		{"a tab", "log:\n\tlevel: info\n", `f.yaml: is no YAML: line 2: found character that cannot start any token`},
		{"a key that would draw on the terminal", "\"\\e[2Jx\\ny\": 1\n", "f.yaml:1:1: \ufffd[2Jx y: is no setting"},
		{"bytes that are no text", "addr: \xff\n", `--config: f.yaml is not UTF-8 text`},
		{"a NUL", "addr: \x00\n", `--config: f.yaml is not UTF-8 text`},
		{"a file that is too large", "#" + strings.Repeat("x", maxFile), `--config: f.yaml is larger than 256KiB`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := faultsOf(t, place{command: Show, args: []string{"--no-auth", "--config=f.yaml"}, files: map[string]string{"f.yaml": tt.body}})
			if got != tt.want && !(strings.Contains(tt.want, "is no YAML") && strings.HasPrefix(got, tt.want[:len("f.yaml: is no YAML: line ")])) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestAFileThatCannotBeReadIsNamed(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "folder"), 0o700),
		os.Symlink("nowhere", filepath.Join(dir, "dangling")),
		os.Symlink("loop", filepath.Join(dir, "loop")),
		os.Symlink("real.yaml", filepath.Join(dir, "linked")),
		os.WriteFile(filepath.Join(dir, "real.yaml"), []byte("no_auth: true\n"), 0o600),
		syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for file, want := range map[string]string{
		"missing":                    `--config: missing is not there`,
		"folder":                     `--config: folder is a folder, not a file`,
		"dangling":                   `--config: dangling is a symbolic link to "nowhere", which is not there`,
		"loop":                       `--config: loop cannot be read: too many levels of symbolic links`,
		"pipe":                       `--config: pipe is no regular file`,
		"real.yaml/below":            `--config: real.yaml/below cannot be read: not a directory`,
		"linked":                     ``,
		"":                           `--config: is empty; give a value, or leave it out`,
		filepath.Join(dir, "linked"): ``,
	} {
		got := ""
		if _, err := (place{args: []string{"--config", file}}).loadIn(t, dir); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", file, got, want)
		}
	}
	if err := readProblem("x", &fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}); err.Error() != "may not be read by this user; change its owner or its mode" {
		t.Errorf("got %v", err)
	}
}

func TestWhichFileIsRead(t *testing.T) {
	files := map[string]string{
		"fastmcp-auth.yaml": "reverse: {duration: 1s}\n", "two.yaml": "reverse: {duration: 2s}\n",
		"three.yaml": "reverse: {duration: 3s}\n", "four.yaml": "reverse: {duration: 4s}\n",
	}
	withDotenv := maps.Clone(files)
	withDotenv[".env"] = "FASTMCP_AUTH_CONFIG=two.yaml\n"
	for _, tt := range []struct {
		name string
		place
		want string
	}{
		{"the default one", place{files: files}, "fastmcp-auth.yaml:1"},
		{"the one of .env", place{files: withDotenv}, "two.yaml:1"},
		{"the one of the environment", place{files: withDotenv, environ: []string{"FASTMCP_AUTH_CONFIG=three.yaml"}}, "three.yaml:1"},
		{"the one of the flag", place{files: withDotenv, environ: []string{"FASTMCP_AUTH_CONFIG=three.yaml"}, args: []string{"--config=four.yaml"}}, "four.yaml:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := tt.load(t)
			if err != nil {
				t.Fatal(err)
			}
			if got := row(t, s, "reverse.duration").Origin; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	if got := faultsOf(t, place{files: dotenv("\nFASTMCP_AUTH_CONFIG=gone.yaml")}); got != ".env:2: FASTMCP_AUTH_CONFIG: gone.yaml is not there" {
		t.Errorf("got %s", got)
	}
	if got := faultsOf(t, place{environ: []string{"FASTMCP_AUTH_CONFIG=gone.yaml"}}); got != "FASTMCP_AUTH_CONFIG: gone.yaml is not there" {
		t.Errorf("got %s", got)
	}
}

func TestDotenvIsReadStrictlyWhereItIsOurs(t *testing.T) {
	const name = "FASTMCP_AUTH_PROVIDER_INTROSPECTION_CLIENT_SECRET"
	for _, tt := range []struct{ name, line, want, fault string }{
		{"a bare value", "=abc", "abc", ""},
		{"a comment after it", "=abc # def", "abc", ""},
		{"a # inside it", "=abc#def", "abc#def", ""},
		{"an = inside it", "=abc=def==", "abc=def==", ""},
		{"a lone $", "=abc$-d$", "abc$-d$", ""},
		{"single quotes", `='a "b" $X \n # c'`, `a "b" $X \n # c`, ""},
		{"double quotes", `="a \"b\" \$X \\ # c"`, `a "b" $X \ # c`, ""},
		{"a comment after quotes", `="abc" # def`, "abc", ""},
		{"an end as on Windows", "=abc\r", "abc", ""},
		{"a variable", "=abc${X}", "", expandsProblem},
		{"a variable in double quotes", `="abc$X"`, "", expandsProblem},
		{"a command", `=$(cat x)`, "", expandsProblem},
		{"a space before =", " =abc", "", "is not followed by = at once; write NAME=value"},
		{"a space after =", "= abc", "", "has a space after =; leave it out"},
		{"a colon", ": abc", "", "is not followed by = at once; write NAME=value"},
		{"no closing quote", `="abc`, "", "has no closing quote"},
		{"more after the closing quote", `="abc"def`, "", "goes on after its closing quote; quote all of it"},
		{"an unknown escape", `="a\bc"`, "", `has a \ before a letter that needs none; put single quotes round the value to mean it as it stands`},
		{"a line end in a value", `="a\nb"`, "", "has a control character in it"},
		{"nothing", "=", "", "is empty; give a value, or leave it out"},
		{"empty quotes", "=''", "", "is empty; give a value, or leave it out"},
	} {
		for _, before := range []string{"", "export "} {
			t.Run(before+tt.name, func(t *testing.T) {
				body := "FOO=bar\nlines of nobody\n" + before + name + tt.line + "\nLAST=$(x) ${y\n"
				want := ""
				if tt.fault != "" {
					want = ".env:3: " + name + ": " + tt.fault
				}
				l := &loader{src: Source{Command: Show, Dir: t.TempDir(), Environ: []string{}}, origins: map[string]said{}, refused: map[string]bool{}}
				write(t, l.src.Dir, dotenv(body))
				s := &Settings{}
				if err := l.gather(s); err != nil {
					t.Fatal(err)
				}
				if got := l.faults.Error(); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				if got := string(s.Provider.Introspection.ClientSecret); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		}
	}
}

func TestDotenvReadsPastWhatIsNotOurs(t *testing.T) {
	body := "KEY=\"-----BEGIN\nFASTMCP_AUTH_NO_AUTH=false\n-----END\"\n# FASTMCP_AUTH_X=1\nbroken 'line\nFASTMCP_AUTH_REVERSE_DURATION='2s'\n"
	s, err := place{files: dotenv(body)}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	if got := row(t, s, "reverse.duration"); got.Origin != ".env:6 FASTMCP_AUTH_REVERSE_DURATION" {
		t.Errorf("got %v", got)
	}
	if got := row(t, s, "no_auth"); got.Origin != "default" {
		t.Errorf("a line inside of another variable counts: %v", got)
	}
	if got := faultsOf(t, place{files: dotenv("FASTMCP_AUTH_ADDR=127.0.0.1:1\nFASTMCP_AUTH_ADDR=127.0.0.1:2\n")}); got != ".env:2: FASTMCP_AUTH_ADDR: stands twice; the first is in line 1" {
		t.Errorf("got %s", got)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".env"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := (place{}).loadIn(t, dir); err != nil {
		t.Errorf("a folder named .env: %v", err)
	}
	if got := faultsOf(t, place{files: dotenv("\xff")}); got != ".env: is not UTF-8 text" {
		t.Errorf("got %s", got)
	}
}

func TestThePageShowsAFileThatIsRead(t *testing.T) {
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(reference())
	if block == nil {
		t.Fatal("the page shows no file")
	}
	if got := faultsOf(t, place{files: yamlFile(block[1]), tools: []string{"get_current_time"}}); got != "" {
		t.Errorf("the file of the page is refused: %s", got)
	}
}

// FuzzFile reads settings files that strangers wrote: nothing panics, and what is accepted is whole.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"", "addr: 127.0.0.1:1\n", "provider:\n  kind: entra\n  audience: [a, b]\n", "scopes: {tools: {a: [b]}}\n", "a: &a [*a]\n",
		"<<: {addr: x}\n", "? {a: b}\n: c\n", "- - - -\n", "limits: {body: 1MiB, call_timeout: 0s}\n", "---\n---\n", "log: {level: !!str info}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		l := &loader{src: Source{Command: Show, Dir: t.TempDir(), Environ: []string{}}, origins: map[string]said{}, refused: map[string]bool{}}
		if err := os.WriteFile(filepath.Join(l.src.Dir, defaultFile), body, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Load(l.src)
		if (err == nil) == (s == nil) {
			t.Fatalf("got %v and %v", s, err)
		}
		if err != nil {
			for _, fault := range err.(*Faults).List {
				if fault.Name == "" || fault.Problem == "" || strings.ContainsAny(fault.String(), "\n\x1b\x00") {
					t.Errorf("not a line that names something: %q", fault.String())
				}
			}
			return
		}
		if s.Limits.Body < 1<<10 || s.Tokens.Leeway < 0 || s.Scopes.Execute == "" || (!s.NoAuth && s.Provider.Kind == "entra" && len(s.Provider.Audience) == 0) {
			t.Errorf("accepted %+v", s)
		}
	})
}

// FuzzDotenv holds that every value is found as it stands when it is quoted.
func FuzzDotenv(f *testing.F) {
	f.Add("abc", "X=1\n")
	f.Add("a'b", "\"")
	f.Add("$(x) # y", "export A='\n'")
	f.Fuzz(func(t *testing.T, value, body string) {
		splitDotenv(body)
		if strings.ContainsAny(value, "'\r") {
			return
		}
		lines := splitDotenv(fmt.Sprintf("NAME='%s'\nLAST=1\n", value))
		if len(lines) != 2 || lines[0].value != value || lines[0].problem != "" || lines[1].name != "LAST" {
			t.Errorf("%q is read as %+v", value, lines)
		}
	})
}
