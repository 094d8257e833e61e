package kafkalog_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testcert"
	"github.com/driftd/driftd/internal/testkit"
)

// insists sends a certificate also to a broker that asks for those of other authorities.
func insists(pool *x509.CertPool, cert *testcert.Cert) *tls.Config {
	return &tls.Config{
		RootCAs: pool, Certificates: []tls.Certificate{cert.Certificate},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert.Certificate, nil },
	}
}

// worksOver makes a topic, produces, fetches and takes part in a group: all three ways in which connections are made.
func worksOver(t *testing.T, cfg kafkalog.Config) {
	t.Helper()
	c, err := kafkalog.Dial(cfg, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	topic := topic(t, c, 1)
	for b := (kafkalog.Backoff{}); b.Wait(deadline(t)); { // its leader may not know yet that it is
		_, err := c.Produce(deadline(t), []kafkalog.Message{{Topic: topic, Value: []byte("v")}})
		if err == nil {
			break
		}
		t.Log(err)
	}
	got := ""
	readAll(t, c, topic, 0, 0, func(r *kafkalog.Record) { got += string(r.Value) }) // more than one where an answer was lost
	if strings.Trim(got, "v") != "" || got == "" {
		t.Errorf("read %q", got)
	}
	m := join(t, c, kafkalog.GroupConfig{ID: testkit.Name(t), Topics: []string{topic}}, nil)
	m.awaits("0:0")
	if err := m.claim("0:0").Commit(deadline(t), 1, ""); err != nil {
		t.Error(err)
	}
	m.leave()
}

// refused asks three times and by way of a group: each time the same is said, with what to do, and the log has one line of it.
func refused(t *testing.T, cfg kafkalog.Config, want string) {
	t.Helper()
	var log syncBuffer
	c, err := kafkalog.Dial(cfg, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	said := ""
	for i := range 3 {
		_, err := c.Topics(deadline(t), "x")
		switch {
		case err == nil:
			t.Fatal("let in")
		case !strings.Contains(err.Error(), want):
			t.Errorf("%v, want %q in it", err, want)
		case i > 0 && err.Error() != said:
			t.Errorf("said %q, then %q", said, err)
		}
		said = err.Error()
	}
	g := c.Group(kafkalog.GroupConfig{ID: testkit.Name(t), Topics: []string{"x"}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- g.Run(ctx, func(context.Context, *kafkalog.Claim) error { return nil }) }()
	testkit.Until(t, "the group has tried", func() bool { return c.Memberships()[0].Problem != "" })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if ok, detail := c.Reachable(); ok || !strings.Contains(detail, want) {
		t.Errorf("reachable %v: %s", ok, detail)
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || strings.Contains(text+said, "canary") {
		t.Errorf("said %s, logged\n%s", said, text)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// user is one of the broker's, or one with another password.
func user(mechanism, name, password string) *kafkalog.SASL {
	return &kafkalog.SASL{Mechanism: mechanism, Username: name, Password: password}
}

// TestSecured goes by every door of Apache Kafka, and is told at each that stays shut why.
func TestSecured(t *testing.T) {
	b := testkit.Secure(t)
	pool := b.Authority.Pool()
	trusts := &tls.Config{RootCAs: pool}
	mine := b.Clients.Issue(testcert.Leaf{Name: "driftd"})
	t.Run("tls", func(t *testing.T) { worksOver(t, kafkalog.Config{Brokers: []string{b.TLS}, TLS: trusts}) })
	t.Run("mtls", func(t *testing.T) {
		worksOver(t, kafkalog.Config{Brokers: []string{b.MTLS}, TLS: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{mine.Certificate}}})
	})
	for _, u := range testkit.Users() {
		t.Run(u.Mechanism, func(t *testing.T) {
			worksOver(t, kafkalog.Config{Brokers: []string{b.SASL}, SASL: user(u.Mechanism, u.Name, u.Password)})
		})
		t.Run(u.Mechanism+" over tls", func(t *testing.T) {
			worksOver(t, kafkalog.Config{Brokers: []string{b.SASLTLS}, TLS: trusts, SASL: user(u.Mechanism, u.Name, u.Password)})
		})
		t.Run(u.Mechanism+", wrong password", func(t *testing.T) {
			refused(t, kafkalog.Config{Brokers: []string{b.SASLTLS}, TLS: trusts, SASL: user(u.Mechanism, u.Name, "canary-wrong")}, "the broker refuses user or password: check kafka.sasl")
		})
	}
	plain := user("plain", "p", "canary-plain")
	f := func(what, addr string, security *tls.Config, sasl *kafkalog.SASL, want string) {
		t.Run(what, func(t *testing.T) {
			refused(t, kafkalog.Config{Brokers: []string{addr}, TLS: security, SASL: sasl}, want)
		})
	}
	f("unknown user", b.SASL, nil, user("scram-sha-512", "nobody", "canary-x"), "the broker refuses user or password: check kafka.sasl")
	f("user of another mechanism", b.SASL, nil, user("scram-sha-512", "s256", "canary-scram-256"), "the broker refuses user or password: check kafka.sasl")
	f("untrusted authority", b.TLS, &tls.Config{}, nil, `name the authority "brokers" that signed it in kafka.tls.ca_file`)
	f("another authority", b.SASLTLS, &tls.Config{RootCAs: b.Clients.Pool()}, plain, `name the authority "brokers" that signed it in kafka.tls.ca_file`)
	f("expired", b.Expired, trusts, nil, "which is not now: renew it, or set the clock")
	f("another host", b.OtherHost, trusts, nil, "the broker's certificate is not for 127.0.0.1")
	f("no client certificate", b.MTLS, trusts, nil, "set kafka.tls.cert_file and key_file")
	f("another's client certificate", b.MTLS, insists(pool, b.Authority.Issue(testcert.Leaf{Name: "driftd"})), nil, "is the one of kafka.tls.cert_file signed by an authority that the broker trusts")
	f("expired client certificate", b.MTLS, insists(pool, b.Clients.Issue(testcert.Leaf{Name: "driftd", Expired: true})), nil, "has it not expired?")
	f("plain text to TLS", b.TLS, nil, nil, "set kafka.tls: {enabled: true}")
	f("SASL without TLS to TLS", b.SASLTLS, nil, plain, "set kafka.tls: {enabled: true}")
	f("TLS to plain text", b.SASL, trusts, plain, "is the listener one for TLS and SASL?")
	f("no user", b.SASLTLS, trusts, nil, "does it want a user (kafka.sasl)?")
	f("no user, plain text", b.SASL, nil, nil, "is the listener one for TLS or SASL?")
	f("a user too many", b.TLS, trusts, plain, "remove kafka.sasl")
}

// TestRefusedByEmbedded holds what the embedded broker can do of it, with Go alone.
func TestRefusedByEmbedded(t *testing.T) {
	if testkit.Real() {
		t.Skip("TestSecured tries it on Apache Kafka")
	}
	ours, clients := testcert.New(t, "brokers"), testcert.New(t, "clients")
	trusts := &tls.Config{RootCAs: ours.Pool()}
	broker := func(leaf testcert.Leaf, change func(*embedded.Options)) []string {
		o := embedded.Options{TLS: &tls.Config{Certificates: []tls.Certificate{ours.Issue(leaf).Certificate}}}
		change(&o)
		return testkit.Embedded(t, o).Addrs()
	}
	nothing := func(*embedded.Options) {}
	mutual := broker(testcert.Leaf{Name: "broker"}, func(o *embedded.Options) {
		o.TLS.ClientAuth, o.TLS.ClientCAs = tls.RequireAndVerifyClientCert, clients.Pool()
	})
	mine := clients.Issue(testcert.Leaf{Name: "driftd"})
	t.Run("mtls", func(t *testing.T) {
		worksOver(t, kafkalog.Config{Brokers: mutual, TLS: &tls.Config{RootCAs: ours.Pool(), Certificates: []tls.Certificate{mine.Certificate}}})
	})
	f := func(what string, addrs []string, security *tls.Config, sasl *kafkalog.SASL, want string) {
		t.Run(what, func(t *testing.T) { refused(t, kafkalog.Config{Brokers: addrs, TLS: security, SASL: sasl}, want) })
	}
	f("untrusted authority", mutual, &tls.Config{}, nil, `name the authority "brokers" that signed it in kafka.tls.ca_file`)
	f("expired", broker(testcert.Leaf{Name: "broker", Expired: true}, nothing), trusts, nil, "which is not now: renew it, or set the clock")
	f("another host", broker(testcert.Leaf{Name: "broker", Hosts: []string{"kafka.example"}}, nothing), trusts, nil, "the broker's certificate is not for 127.0.0.1")
	f("no client certificate", mutual, trusts, nil, "set kafka.tls.cert_file and key_file")
	f("another's client certificate", mutual, insists(ours.Pool(), ours.Issue(testcert.Leaf{Name: "driftd"})), nil, "is the one of kafka.tls.cert_file signed by an authority that the broker trusts")
	f("expired client certificate", mutual, insists(ours.Pool(), clients.Issue(testcert.Leaf{Name: "driftd", Expired: true})), nil, "has it not expired?")
	users := broker(testcert.Leaf{Name: "broker"}, func(o *embedded.Options) {
		o.Users = []embedded.User{{Mechanism: "PLAIN", Name: "p", Password: "canary-plain"}, {Mechanism: "SCRAM-SHA-512", Name: "s", Password: "canary-scram"}}
	})
	f("wrong password", users, trusts, user("plain", "p", "canary-wrong"), "of kafka.sasl right")
	f("wrong password, SCRAM", users, trusts, user("scram-sha-512", "s", "canary-wrong"), "of kafka.sasl right")
	f("plain text to TLS", users, nil, nil, "see kafka.tls and kafka.sasl")
}
