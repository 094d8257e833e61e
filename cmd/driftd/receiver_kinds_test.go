package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/conform/receivers"
	"github.com/driftd/driftd/internal/signature"
)

// Every kind of receiver is made with what stands in the config, and is understood by whom it tells.
func TestReceiverKinds(t *testing.T) {
	const secret, routingKey = "correct-horse", "0123456789abcdef0123456789abcdef"
	key, err := signature.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	basic, bearer := receivers.NewAlertmanager(), receivers.NewAlertmanager()
	basic.Authorization, bearer.Authorization = receivers.Basic("driftd", secret), "Bearer "+secret
	peers := map[string]receivers.Peer{
		"hook": receivers.NewProgram(key), "oncall": receivers.NewOnCall("/" + secret), "opsgenie": receivers.NewOpsgenie(secret),
		"pager": receivers.NewPagerDuty(routingKey), "basic": basic, "bearer": bearer,
	}
	at := map[string]string{}
	for name, peer := range peers {
		srv := httptest.NewServer(peer)
		defer srv.Close()
		at[name] = srv.URL
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "driftd.yaml")
	text := fmt.Sprintf(`
kafka: {brokers: [localhost:9092]}
sources: [{topic: spans}]
rules: [rules.yaml]
receivers:
  - {name: hook, webhook: {url: %s, secret: "${SECRET}"}}
  - {name: oncall, webhook: {url: "${ONCALL}", template: grafana_oncall}}
  - {name: opsgenie, webhook: {url: %s, template: opsgenie, token: "${SECRET}"}}
  - {name: pager, pagerduty: {routing_key: "${ROUTING_KEY}", url: %s/v2/enqueue}}
  - {name: basic, alertmanager: {urls: [%s], username: driftd, password: "${SECRET}"}}
  - {name: bearer, alertmanager: {urls: [%s], token: "${SECRET}"}}
route: {receiver: hook}
http: {public_url: https://driftd.test}
`, at["hook"], at["opsgenie"], at["pager"], at["basic"], at["bearer"])
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, problems := config.Load(config.Sources{File: file, Environ: []string{"SECRET=" + secret, "ROUTING_KEY=" + routingKey, "ONCALL=" + at["oncall"] + "/" + secret}})
	if problems.Err() != nil {
		t.Fatal(problems.Text())
	}
	d := &daemon{daemonOptions: daemonOptions{Config: cfg, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}, metrics: metrics.NewSet()}
	now := time.Now()
	n := &alert.Notification{Firing: []alert.Member{{Since: now, Record: detector.Record{
		ID: "9f3c", Step: 1, Type: detector.Firing, Time: now, Group: "g", Rule: "Floor", Prompt: "p", Version: "v23", Metric: "m", Kind: "threshold",
	}}}}
	for i := range cfg.Receivers {
		r := &cfg.Receivers[i]
		to, err := d.receiver(r)
		if err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		if _, err := to.Deliver(t.Context(), n); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
		if peer := peers[r.Name]; peer.Shown(time.Now())["Floor"] != "firing" || len(peer.Problems()) > 0 {
			t.Errorf("%s: shows %v, %q", r.Name, peer.Shown(time.Now()), peer.Problems())
		}
	}
	if got := basic.Alerts()[0].GeneratorURL; got != "https://driftd.test/api/v1/alerts/9f3c" {
		t.Errorf("generatorURL %q", got)
	}
}
