package main

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/testkit"
)

// TestBrokerRefusesPassword: a daemon that the broker does not let in says so in one line, with what to do and without the password, however often
// it tries; /-/ready says the same.
func TestBrokerRefusesPassword(t *testing.T) {
	b := testkit.Embedded(t, embedded.Options{Users: []embedded.User{{Mechanism: "PLAIN", Name: "driftd", Password: canary("right")}}})
	tries := make(chan struct{}, 1000)
	b.Control(kmsg.SASLAuthenticate, func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.Keep()
		select {
		case tries <- struct{}{}:
		default:
		}
		res := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		res.ErrorCode, res.ErrorMessage = 58, kmsg.StringPtr("Authentication failed: Invalid username or password")
		return res, nil, true
	})
	w, _ := newStoryWorld(t, b.Addrs())
	d := w.startWith(func(o *daemonOptions) {
		o.Config.Kafka.SASL = &config.SASL{Mechanism: "plain", Username: "driftd", Password: config.NewSecret(canary("wrong"))}
		o.Log = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	const says = "the broker refuses user or password: check kafka.sasl (Authentication failed: Invalid username or password)"
	w.until("it has tried some times", func() bool { return len(tries) > 5 })
	w.until("ready says why not", func() bool {
		ok, body := d.ready()
		return !ok && strings.Contains(body, says)
	})
	d.stop()
	log := w.log.String()
	if n := strings.Count(log, "the broker refuses"); n != 1 || strings.Contains(log, bird) || strings.Count(log, "level=WARN")+strings.Count(log, "level=ERROR") != 1 {
		t.Errorf("said %d times:\n%s", n, log)
	}
}
