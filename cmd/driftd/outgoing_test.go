package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/outbound"
)

// outgoingReceivers are the kinds of receivers; %s is where the peer is.
var outgoingReceivers = map[string]string{
	"slack bot":      `slack: {token: file:secret, channel: "#llm-alerts"}`, // at SlackAPI
	"slack incoming": `slack: {webhook_url: "%s/services/T0/B0/x"}`,
	"webhook":        `webhook: {url: "%s", secret: file:secret}`,
	"grafana_oncall": `webhook: {url: "%s", template: grafana_oncall}`,
	"opsgenie":       `webhook: {url: "%s", template: opsgenie, token: file:secret}`,
	"alertmanager":   `alertmanager: {urls: ["%s"]}`,
	"pagerduty":      `pagerduty: {routing_key: file:secret, url: "%s"}`,
}

// outgoingRegistries are the kinds of registries that are called over HTTP.
var outgoingRegistries = map[string]string{
	"webhook":  `secret: file:secret`,
	"mlflow":   `username: driftd, password: file:secret`,
	"phoenix":  `token: file:secret`,
	"langfuse": `username: pk, password: file:secret`,
}

// outgoing calls the peer at address in every way that driftd does, as it is set up by a config, and returns what came of it by the
// name of the client.
func outgoing(t *testing.T, address, allow string) map[string]error {
	t.Helper()
	load := func(text string) *config.Config {
		t.Helper()
		dir := t.TempDir()
		for name, text := range map[string]string{"secret": "0123456789abcdef0123456789abcdef", "driftd.yaml": text} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cfg, problems := config.Load(config.Sources{File: filepath.Join(dir, "driftd.yaml")})
		if cfg == nil || problems.Err() != nil && allow != "" {
			t.Fatal(problems.Text())
		}
		return cfg
	}
	const head = "kafka: {brokers: [localhost:9092]}\nsources: [{topic: spans}]\nrules: [rules.yaml]\n"
	now := time.Now()
	n := &alert.Notification{Firing: []alert.Member{{Since: now, Record: detector.Record{
		ID: "9f3c", Step: 1, Type: detector.Firing, Time: now, Group: "g", Rule: "Floor", Prompt: "p", Version: "v23", Metric: "m", Kind: "threshold",
	}}}}
	made := func(text string) *daemon {
		t.Helper()
		cfg := load(head + "outgoing: {allow: [" + allow + "]}\n" + text)
		d := &daemon{daemonOptions: daemonOptions{Config: cfg, Log: slog.New(slog.DiscardHandler), SlackAPI: address + "/api/"}, metrics: metrics.NewSet()}
		d.outgoing = outbound.NewTransport(cfg.Outgoing.Guard())
		t.Cleanup((&http.Client{Transport: d.outgoing}).CloseIdleConnections)
		return d
	}
	out := map[string]error{}
	for name, keys := range outgoingReceivers {
		if strings.Contains(keys, "%") {
			keys = fmt.Sprintf(keys, address)
		}
		d := made("receivers: [{name: r, " + keys + "}]\nroute: {receiver: r}\n")
		to, err := d.receiver(&d.Config.Receivers[0])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, out[name] = to.Deliver(t.Context(), n)
	}
	m := registry.Move{Prompt: "p", To: registry.Version{ID: "1"}, Seen: registry.Version{ID: "2"}, Key: "k"}
	for kind, keys := range outgoingRegistries {
		d := made(fmt.Sprintf("registry: {kind: %s, url: %q, %s}\n", kind, address, keys))
		c, err := newRegistry(d.Config.Registry, d.outgoing)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		_, out[kind+" registry, current"] = c.Current(t.Context(), "p")
		_, out[kind+" registry, list"] = c.List(t.Context(), "p")
		out[kind+" registry, move"] = c.Move(t.Context(), m)
	}
	return out
}

// Every kind that the config offers is in the tables above.
func TestOutgoingIsWhole(t *testing.T) {
	for kind := range registries {
		if _, ok := outgoingRegistries[kind]; !ok && kind != "git" { // a program of its own calls that
			t.Errorf("no calls of a registry of kind %s are tried", kind)
		}
	}
	if got := len(outgoing(t, "http://127.0.0.1:1", "")); got != len(outgoingReceivers)+3*len(outgoingRegistries) {
		t.Errorf("%d calls", got)
	}
}

// Link-local addresses and metadata services are refused by every client, in a way that says what to do, and nothing is sent there.
func TestOutgoingRefused(t *testing.T) {
	for _, address := range []string{"http://169.254.169.254", "http://[::ffff:169.254.169.254]:8080", "http://[fd00:ec2::254]", "http://100.100.100.200"} {
		for name, err := range outgoing(t, address, "") {
			hint := ""
			if f, ok := errors.AsType[*alert.Failure](err); ok {
				hint = f.Hint
				if f.Kind != alert.Blocked || f.Trouble != alert.TroubleAddress {
					t.Errorf("%s: %s: %+v", address, name, f)
				}
			} else if e, ok := errors.AsType[*registry.Error](err); ok {
				hint = e.Hint
			}
			if err == nil || !strings.Contains(err.Error(), "the address is refused") || !strings.Contains(hint, "outgoing.allow") {
				t.Errorf("%s: %s: %v (%s)", address, name, err, hint)
			}
		}
	}
}

// What outgoing.allow names is called, by every client.
func TestOutgoingAllowed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody need answer at that address: that it is tried is enough
	r, err := http.NewRequestWithContext(ctx, "GET", "http://169.254.169.254/", nil)
	if err != nil {
		t.Fatal(err)
	}
	var cfg config.Config
	if _, err := outbound.Do(outbound.NewClient(outbound.NewTransport(cfg.Outgoing.Guard())), r); outbound.Refused(err) == nil {
		t.Errorf("not allowed: %v", err)
	}
	file := filepath.Join(t.TempDir(), "driftd.yaml")
	text := "kafka: {brokers: [localhost:9092]}\nsources: [{topic: spans}]\nrules: [rules.yaml]\noutgoing: {allow: [169.254.169.254]}\nregistry: {kind: mlflow, url: \"http://169.254.169.254\"}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	allowing, problems := config.Load(config.Sources{File: file})
	if problems.Err() != nil {
		t.Fatal(problems.Text())
	}
	if _, err := outbound.Do(outbound.NewClient(outbound.NewTransport(allowing.Outgoing.Guard())), r); outbound.Refused(err) != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("allowed: %v", err)
	}
}

// A redirect leads no client anywhere, so that what is secret or signed stays with whom it is for.
func TestOutgoingRedirects(t *testing.T) {
	var strayed atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed.Add(1) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			http.Redirect(w, r, other.URL+r.URL.Path, status)
		}))
		for name, err := range outgoing(t, srv.URL, "10.0.0.0/8") {
			if err == nil {
				t.Errorf("%d: %s takes a redirect for an answer", status, name)
			}
		}
		srv.Close()
	}
	if n := strayed.Load(); n > 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// An answer without end is read up to a limit by every client.
func TestOutgoingEndlessAnswers(t *testing.T) {
	const limit = 32 << 20 // beyond what the longest answer may have, and what lies in the buffers between
	var most atomic.Int64
	chunk := []byte(strings.Repeat(" ", 256<<10))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		sent := 0
		for sent < 2*limit {
			n, err := w.Write(chunk)
			if sent += n; err != nil {
				break
			}
		}
		most.Store(max(most.Load(), int64(sent)))
	}))
	errs := outgoing(t, srv.URL, "10.0.0.0/8")
	srv.Close() // waits for the calls
	if n := most.Load(); n == 0 || n > limit {
		t.Errorf("%d bytes of an answer were read", n)
	}
	for _, name := range []string{"slack bot", "mlflow registry, current", "webhook registry, move"} {
		if errs[name] == nil {
			t.Errorf("%s takes blanks for an answer", name)
		}
	}
}
