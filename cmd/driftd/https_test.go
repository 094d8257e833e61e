package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/testcert"
	"github.com/driftd/driftd/internal/web"
	"github.com/driftd/driftd/rules"
)

// TestClientSpeaksTLS: the commands of people know the daemon by an authority of one's own, and are known by a certificate; what is wrong is said
// with what to do.
func TestClientSpeaksTLS(t *testing.T) {
	dir := t.TempDir()
	ours, theirs := testcert.New(t, "ours"), testcert.New(t, "theirs")
	ca, other := ours.File(filepath.Join(dir, "ca.pem")), theirs.File(filepath.Join(dir, "other.pem"))
	cert, key := ours.Issue(testcert.Leaf{Name: "driftd", Hosts: []string{"127.0.0.1"}}).Files(dir, "driftd")
	mine, myKey := ours.Issue(testcert.Leaf{Name: "jane"}).Files(dir, "jane")
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("a token of sixteen or more\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: dir}
	w.file("rules.yaml", "groups: []\n")
	cfg, problems := config.Load(config.Sources{File: w.file("driftd.yaml", `
kafka: {brokers: ["127.0.0.1:1"]}
sources: [{topic: t}]
rules: [rules.yaml]
http: {listen: "127.0.0.1:0", token: "file:token", tls: {cert_file: `+cert+`, key_file: `+key+`, client_ca_file: ca.pem}}
`)})
	if problems.Err() != nil {
		t.Fatal(problems.Text())
	}
	o, err := newOffice()
	if err != nil {
		t.Fatal(err)
	}
	server, err := web.Listen(web.Config{
		Listen: "127.0.0.1:0", Keys: func() (web.Keys, error) { return keys(&cfg.HTTP) }, Ready: o.ready, Desk: o.desk, Now: func() time.Time { return officeNow }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- server.Run(ctx) }()
	_, port, _ := strings.Cut(server.Addr(), ":")

	t.Setenv("DRIFTD_TOKEN", "")
	here := "https://" + server.Addr()
	f := func(what string, code int, says string, args ...string) {
		t.Helper()
		out, said := &logBuffer{}, &logBuffer{}
		got := runAlerts(t.Context(), args, out, said)
		if got != code || !strings.Contains(out.String()+said.String(), says) || strings.Contains(said.String(), "sixteen") || strings.Count(said.String(), "\n") > 3 {
			t.Errorf("%s: exit code %d\n%s%s", what, got, out, said)
		}
	}
	f("with a certificate", exitFine, "No alert fires", "--url", here, "--ca-file", ca, "--cert-file", mine, "--key-file", myKey)
	f("with a token", exitFine, "No alert fires", "--url", here, "--ca-file", ca, "--token-file", token)
	f("with neither", exitWrong, "a token or a client's certificate is missing\n    set DRIFTD_TOKEN, or give --token-file", "--url", here, "--ca-file", ca)
	f("unknown authority", exitWrong, "name its authority with --ca-file or DRIFTD_CA_FILE", "--url", here)
	f("another authority", exitWrong, "name its authority with --ca-file", "--url", here, "--ca-file", other)
	f("another name", exitWrong, "give the name that stands in its certificate", "--url", "https://localhost:"+port, "--ca-file", ca)
	f("by http", exitWrong, "it answers by https", "--url", "http://"+server.Addr(), "--token-file", token)
	f("half a certificate", exitUsage, "go together", "--url", here, "--cert-file", mine)
	f("no such file", exitWrong, "read authorities: open nowhere", "--url", here, "--ca-file", "nowhere")
	f("no certificate", exitWrong, "no certificate in PEM form", "--url", here, "--ca-file", token)
	plain, err := newOffice()
	if err != nil {
		t.Fatal(err)
	}
	go func() { served <- plain.web.Run(ctx) }()
	f("by https to http", exitWrong, "it does not answer by https", "--url", "https://"+plain.web.Addr())
	t.Setenv("DRIFTD_CA_FILE", ca)
	t.Setenv("DRIFTD_CERT_FILE", mine)
	t.Setenv("DRIFTD_KEY_FILE", myKey)
	t.Setenv("DRIFTD_URL", here)
	f("by the environment", exitFine, "No alert fires")
	cancel()
	for range 2 {
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}

// TestReloadReadsKeys: by SIGHUP's way and by POST /-/reload, with the rules; what cannot be read is told, and shown until it can.
func TestReloadReadsKeys(t *testing.T) {
	w := &world{t: t, dir: t.TempDir()}
	w.file("rules.yaml", "rubrics: {grounding: {min: 0, max: 1, better: higher}}\n")
	w.file("token", "canary-of-the-first\n")
	cfg, problems := config.Load(config.Sources{File: w.file("driftd.yaml", `
kafka: {brokers: ["127.0.0.1:1"]}
sources: [{topic: t}]
rules: [rules.yaml]
http: {listen: "127.0.0.1:0", token: "file:token"}
`)})
	if problems.Err() != nil {
		t.Fatal(problems.Text())
	}
	log := &logBuffer{}
	d := &daemon{daemonOptions: daemonOptions{Config: cfg, Rules: &rules.Set{}, Log: slog.New(slog.NewTextHandler(log, nil))}}
	d.Reload = func() (*rules.Set, rules.Problems) { return loadRules(cfg) }
	o, err := newDaemon(d.daemonOptions)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.reload(); err != nil {
		t.Fatal(err)
	}
	w.file("token", "")
	err = o.reload()
	if err == nil || !strings.Contains(err.Error(), "the old ones stay") || !strings.Contains(err.Error(), "is empty") {
		t.Error(err)
	}
	if c := o.keysCheck(); !c.OK || !c.Trouble || !strings.Contains(c.Detail, "of before are in force") {
		t.Errorf("%+v", c)
	}
	w.file("token", "canary-of-the-second\ncanary-of-the-first\n")
	if err := o.reload(); err != nil || o.keysCheck().Detail != "" {
		t.Error(err, o.keysCheck())
	}
	if text := log.String(); !strings.Contains(text, "tokens=2") || strings.Contains(text, "canary") {
		t.Errorf("logged %s", text)
	}
	o.client.Close()
}
