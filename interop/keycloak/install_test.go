//go:build unix

package keycloak_test

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The Keycloak that is tested: the distribution as it is published, and nothing else that might stand under its name.
const (
	version = "26.7.3"
	archive = "keycloak-quarkus-dist-" + version + ".zip"
	sum     = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
	plugin  = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
)

// recipe names how the cached copy was built. Whoever changes build below changes it too.
const recipe = "memory-health"

// place is where the unpacked and built Keycloak is kept for the next run, outside of the repository.
func place() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("a place to keep Keycloak: %w", err)
	}
	return filepath.Join(cache, "fastmcp-auth", "keycloak-"+version+"-"+recipe), nil
}

func installed() bool {
	home, err := place()
	if err == nil {
		_, err = os.Stat(home)
	}
	return err == nil
}

// java is the command that Keycloak's own script runs.
func java() string {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return filepath.Join(home, "bin", "java")
	}
	return "java"
}

// install returns the home of a Keycloak that is ready to start, and makes it when it is missing. It works beside the
// place and moves the finished folder there in one step, so that two processes may do it at the same time: the second
// to finish uses what the first has made.
func install(ctx context.Context) (string, error) {
	home, err := place()
	if err != nil || installed() {
		return home, err
	}
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(filepath.Dir(home), "unfinished")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := fetch(ctx, work); err != nil {
		return "", err
	}
	if err := unpack(filepath.Join(work, archive), work); err != nil {
		return "", fmt.Errorf("unpack %s: %w", archive, err)
	}
	made := filepath.Join(work, "keycloak-"+version)
	if err := build(ctx, made); err != nil {
		return "", err
	}
	if err := os.Rename(made, home); err != nil && !installed() {
		return "", err
	}
	return home, nil
}

// fetch lets Maven bring the distribution, from wherever Maven is set up to bring things, and checks that it is the one
// that is meant.
func fetch(ctx context.Context, into string) error {
	out, err := command(ctx, into, "mvn", "--batch-mode", "--quiet", plugin+":copy",
		"-Dartifact=org.keycloak:keycloak-quarkus-dist:"+version+":zip", "-DoutputDirectory="+into).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mvn could not bring Keycloak %s: %w\n%s", version, err, out)
	}
	file, err := os.Open(filepath.Join(into, archive))
	if err != nil {
		return err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != sum {
		return fmt.Errorf("%s has the SHA-256 %s, want %s: it is not used", archive, got, sum)
	}
	return nil
}

// build does once what Keycloak otherwise does at every start: settle the kind of database and what is switched on.
// After it, a start writes nothing into its home.
func build(ctx context.Context, home string) error {
	out, err := command(ctx, home, filepath.Join(home, "bin", "kc.sh"), "build", "--db=dev-mem", "--health-enabled=true").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build Keycloak: %w\n%s", err, tail(out))
	}
	return nil
}

// command is a child that ends, with what it started itself, when ctx does.
func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// unpack writes the files of a ZIP archive, and nothing outside of into.
func unpack(name, into string) error {
	all, err := zip.OpenReader(name)
	if err != nil {
		return err
	}
	defer all.Close()
	for _, f := range all.File {
		if err := unpackOne(f, into); err != nil {
			return err
		}
	}
	return nil
}

func unpackOne(f *zip.File, into string) error {
	if !filepath.IsLocal(f.Name) {
		return fmt.Errorf("%q leads elsewhere", f.Name)
	}
	to := filepath.Join(into, f.Name)
	if strings.HasSuffix(f.Name, "/") {
		return os.MkdirAll(to, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	from, err := f.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	mode := os.FileMode(0o644)
	if strings.HasSuffix(f.Name, ".sh") {
		mode = 0o755
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, from); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
