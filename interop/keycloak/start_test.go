//go:build unix

package keycloak_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// running is a Keycloak that answers.
type running struct {
	URL           string // base URL
	Administrator string // who lasts as long as the process
	scratch       string
	password      string // the administrator's
	token         adminToken
}

// announced is what Keycloak says of its addresses. It answers there with 503 until its database stands.
var announced = regexp.MustCompile(`Listening on: (http://\S+[0-9])\. Management interface listening on (http://\S+[0-9])\.`)

// start runs Keycloak until the tests are through, and returns when it is ready.
func start(ctx context.Context, home, scratch string) (*running, error) {
	k := &running{Administrator: "administrator", scratch: scratch, password: newSecret()}
	p, err := spawn(scratch, []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + scratch, "TMPDIR=" + scratch, "JAVA_HOME=" + os.Getenv("JAVA_HOME"),
		"KC_BOOTSTRAP_ADMIN_USERNAME=" + k.Administrator, "KC_BOOTSTRAP_ADMIN_PASSWORD=" + k.password,
		"JAVA_OPTS_KC_HEAP=-Xms64m -Xmx512m", "JAVA_OPTS_APPEND=-XX:TieredStopAtLevel=1", // a short life: start soon
	}, nil, filepath.Join(home, "bin", "kc.sh"), "start", "--optimized", "--cache=local",
		"--http-enabled=true", "--http-host=127.0.0.1", "--http-port=0", "--http-management-port=0", "--hostname-strict=false",
		"-Djava.io.tmpdir="+scratch, "-Dquarkus.transaction-manager.object-store.directory="+filepath.Join(scratch, "transactions"))
	if err != nil {
		return nil, err
	}
	atEnd = append(atEnd, func() error {
		p.stop() // its exit code says only that it was asked to
		return nil
	})
	addresses, err := p.wait(ctx, p.log, announced)
	if err != nil {
		return nil, fmt.Errorf("start Keycloak: %w", err)
	}
	k.URL = addresses[1]
	if err := ready(ctx, p.ended, addresses[2]+"/health/ready"); err != nil {
		return nil, fmt.Errorf("start Keycloak: %w\n%s", err, tail(p.log.bytes()))
	}
	return k, nil
}

// ready asks until the answer is 200.
func ready(ctx context.Context, ended <-chan struct{}, at string) error {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-again.C:
		case <-ended:
			return errors.New("it ended by itself")
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w", ctx.Err())
		}
	}
}
