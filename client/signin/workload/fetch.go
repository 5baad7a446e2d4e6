package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	maxToken = 64 << 10 // bytes of a token or of the answer that holds it
	attempts = 3
	pause    = 250 * time.Millisecond // after the first attempt; four times as long after the next
)

// fetch asks a platform and reads a JSON answer into answer, all of it within timeout. A platform that is busy is asked
// again. No redirect is followed: the request carries a secret.
func fetch(req *http.Request, rt http.RoundTripper, timeout time.Duration, answer any) (status int, err error) {
	ctx, cancel := context.WithTimeout(req.Context(), timeout)
	defer cancel()
	c := &http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for n, wait := 1, pause; ; n, wait = n+1, 4*wait {
		status, err = fetchOnce(c, req.WithContext(ctx), answer)
		again := err != nil && status == 0 || status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
		if !again || n == attempts {
			break
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			continue
		case <-ctx.Done():
			timer.Stop()
		}
		break
	}
	switch {
	case req.Context().Err() != nil:
		return status, req.Context().Err()
	case ctx.Err() != nil && status == 0:
		return 0, &silence{timeout}
	}
	return status, err
}

// silence is that no answer came in time. It is a [context.DeadlineExceeded].
type silence struct{ after time.Duration }

func (s *silence) Error() string      { return fmt.Sprintf("no answer within %s", s.after) }
func (*silence) Is(target error) bool { return target == context.DeadlineExceeded }
func (*silence) Timeout() bool        { return true }

// fetchOnce returns the status of an answer that came, and an error of one that did not, or that cannot be read.
func fetchOnce(c *http.Client, req *http.Request, answer any) (int, error) {
	resp, err := c.Do(req)
	if err != nil {
		var where *url.Error // names the whole address
		if errors.As(err, &where) {
			err = where.Err
		}
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxToken+1))
	if err != nil {
		return 0, err
	}
	if len(body) > maxToken || json.Unmarshal(body, answer) != nil {
		return resp.StatusCode, errors.New("the answer is not the JSON it should be")
	}
	return resp.StatusCode, nil
}
