package kafkalog_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
)

// selfSigned is a certificate for the loopback address and the pool that trusts it.
func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// TestAuth goes over TLS with each mechanism, by all three ways that connections are made: pooled, raw, and the group's own.
func TestAuth(t *testing.T) {
	cert, pool := selfSigned(t)
	b := testkit.Embedded(t, embedded.Options{
		TLS: &tls.Config{Certificates: []tls.Certificate{cert}},
		Users: []embedded.User{
			{Mechanism: "PLAIN", Name: "p", Password: "secret0"},
			{Mechanism: "SCRAM-SHA-256", Name: "s256", Password: "secret1"},
			{Mechanism: "SCRAM-SHA-512", Name: "s512", Password: "secret2"},
		},
	})
	for _, sasl := range []kafkalog.SASL{
		{Mechanism: "PLAIN", Username: "p", Password: "secret0"},
		{Mechanism: "scram-sha-256", Username: "s256", Password: "secret1"},
		{Mechanism: "scram-sha-512", Username: "s512", Password: "secret2"},
	} {
		t.Run(sasl.Mechanism, func(t *testing.T) {
			cfg := kafkalog.Config{Brokers: b.Addrs(), TLS: &tls.Config{RootCAs: pool}, SASL: &sasl}
			c, err := kafkalog.Dial(cfg, logger(t))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			topic := topic(t, c, 1)
			produce(t, c, topic, 0, "v")
			readAll(t, c, topic, 0, 0, func(*kafkalog.Record) {})
			m := join(t, c, kafkalog.GroupConfig{ID: testkit.Name(t), Topics: []string{topic}}, nil)
			m.awaits("0:0")
			m.leave()

			sasl.Password = "wrong"
			refused, err := kafkalog.Dial(cfg, logger(t))
			if err != nil {
				t.Fatal(err)
			}
			defer refused.Close()
			if _, err := refused.Topics(deadline(t), topic); err == nil || !strings.Contains(err.Error(), "password") {
				t.Errorf("a wrong password: %v", err)
			}
			if ok, detail := refused.Reachable(); ok {
				t.Error("reachable with a wrong password", detail)
			} else {
				t.Log(detail)
			}
		})
	}
	t.Run("refused with a code", func(t *testing.T) {
		b := testkit.Embedded(t, embedded.Options{Users: []embedded.User{{Mechanism: "PLAIN", Name: "p", Password: "secret0"}}})
		b.Control(kmsg.SASLAuthenticate, func(req kmsg.Request) (kmsg.Response, error, bool) {
			b.Keep()
			res := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
			res.ErrorCode, res.ErrorMessage = 58, kmsg.StringPtr("credentials were taken back")
			return res, nil, true
		})
		c, err := kafkalog.Dial(kafkalog.Config{Brokers: b.Addrs(), SASL: &kafkalog.SASL{Mechanism: "plain", Username: "p", Password: "secret0"}}, logger(t))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Topics(deadline(t), "x"); err == nil {
			t.Error("let in")
		}
		if ok, detail := c.Reachable(); ok || !strings.Contains(detail, "taken back") {
			t.Errorf("reachable: %v, %q", ok, detail)
		}
	})
	for want, cfg := range map[string]kafkalog.Config{
		"certificate":     {TLS: &tls.Config{}},
		"for TLS":         {},
		"mechanism, user": {TLS: &tls.Config{RootCAs: pool}, SASL: &kafkalog.SASL{Mechanism: "plain", Username: "s256", Password: "secret1"}},
	} {
		cfg.Brokers = b.Addrs()
		c, err := kafkalog.Dial(cfg, logger(t))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Topics(deadline(t), "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}
