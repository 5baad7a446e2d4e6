package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// loads is how often the console is opened, each time by a new browser; what is reported is the median.
const loads = 5

// shown notes when the list of the tools was painted: in the frame after the one in which it stood there.
const shown = `(() => {
  const look = () => document.querySelector('.offer') ? requestAnimationFrame(() => { window.benchShown = performance.now() }) : requestAnimationFrame(look)
  requestAnimationFrame(look)
})()`

// told is what the page says of itself, once the list was painted.
const told = `!window.benchShown ? '' : JSON.stringify({
  interactive: Math.max(window.benchShown, performance.getEntriesByType('navigation')[0].domInteractive),
  loaded: performance.getEntriesByType('resource').map(e => e.name).filter(n => n.includes('/assets/')),
})`

// console opens the web console with this machine's Chromium, as the browser's own clock sees it: from the navigation
// to the painted list of the tools. The size is that of the page and all assets that it had loaded by then.
func console(ctx context.Context, w io.Writer, o options) ([]budget, error) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		fmt.Fprintln(w, "# left out: console_first_load_gzipped and console_interactive, because chromium is missing")
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	addr, err := free()
	if err != nil {
		return nil, err
	}
	var ready struct{ Addr string }
	c, err := start(ctx, &ready, nil, o.binary, "serve", "--no-auth", "--addr", addr, "--store-kind", "memory")
	if err != nil {
		return nil, err
	}
	defer c.stop()
	page := "http://" + addr + "/tools"
	size, text, err := gzipped(ctx, page)
	if err != nil {
		return nil, err
	}
	if strings.Contains(text, "The console is not built in") {
		fmt.Fprintln(w, "# left out: console_first_load_gzipped and console_interactive, because the console is not built in; run make web build")
		return nil, nil
	}
	var times []float64
	var assets []string
	for range loads {
		var interactive float64
		if interactive, assets, err = look(ctx, chromium, page); err != nil {
			return nil, fmt.Errorf("the console in Chromium: %w", err)
		}
		times = append(times, interactive)
	}
	slices.Sort(times)
	for _, asset := range assets {
		n, _, err := gzipped(ctx, asset)
		if err != nil {
			return nil, err
		}
		size += n
	}
	return []budget{
		{"console_first_load_gzipped", float64(size) / 1e3, "KB", 350, true},
		{"console_interactive", times[len(times)/2], "ms", 1000, true},
	}, nil
}

// gzipped is how many bytes an answer has on the wire, and its text where it is not compressed.
func gzipped(ctx context.Context, place string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Accept", "text/html,*/*")
	req.Header.Set("Accept-Encoding", "gzip")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%w: %s %s", errWrong, place, res.Status)
	}
	return len(body), string(body), err
}

// look opens a page once, with a browser that has never seen it.
func look(ctx context.Context, chromium, page string) (interactive float64, loaded []string, err error) {
	profile, err := os.MkdirTemp("", "bench")
	if err != nil {
		return 0, nil, err
	}
	defer os.RemoveAll(profile)
	theirs, to, err := os.Pipe()
	if err != nil {
		return 0, nil, err
	}
	from, answers, err := os.Pipe()
	if err != nil {
		return 0, nil, errors.Join(err, theirs.Close(), to.Close())
	}
	defer from.Close()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--user-data-dir="+profile, "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{theirs, answers} // its descriptors 3 and 4
	cmd.WaitDelay = 10 * time.Second
	err = cmd.Start()
	theirs.Close()
	answers.Close()
	if err != nil {
		to.Close()
		return 0, nil, err
	}
	defer func() {
		to.Close() // the browser ends with its pipe
		cmd.Wait()
	}()
	b := &browser{to: to, from: bufio.NewReader(from)}
	var target struct{ TargetID, SessionID string }
	err = b.do("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	if err == nil {
		err = b.do("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	}
	if err != nil {
		return 0, nil, err
	}
	b.session = target.SessionID
	err = errors.Join(
		b.do("Page.enable", nil, nil),
		b.do("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": shown}, nil),
		b.do("Page.navigate", map[string]any{"url": page}, nil),
	)
	for err == nil {
		var said struct{ Result struct{ Value string } }
		if err = b.do("Runtime.evaluate", map[string]any{"expression": told, "returnByValue": true}, &said); err != nil {
			break
		}
		if said.Result.Value != "" {
			var saw struct {
				Interactive float64
				Loaded      []string
			}
			err = json.Unmarshal([]byte(said.Result.Value), &saw)
			return saw.Interactive, saw.Loaded, err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return 0, nil, err
}

// browser is told what to do over a pair of pipes: messages are JSON, each ended by a zero byte.
type browser struct {
	to      io.Writer
	from    *bufio.Reader
	session string
	sent    int
}

func (b *browser) do(method string, params, into any) error {
	b.sent++
	m := map[string]any{"id": b.sent, "method": method}
	if params != nil {
		m["params"] = params
	}
	if b.session != "" {
		m["sessionId"] = b.session
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		return err
	}
	for {
		line, err := b.from.ReadBytes(0)
		if err != nil {
			return err
		}
		var a struct {
			ID     int
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := json.Unmarshal(bytes.TrimSuffix(line, []byte{0}), &a); err != nil {
			return err
		}
		switch {
		case a.ID != b.sent:
		case a.Error != nil:
			return fmt.Errorf("%s: %s", method, a.Error.Message)
		case into == nil:
			return nil
		default:
			return json.Unmarshal(a.Result, into)
		}
	}
}
