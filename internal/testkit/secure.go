package testkit

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/driftd/driftd/internal/apache"
	"github.com/driftd/driftd/internal/testcert"
)

// Secured is Apache Kafka with a listener for each way to be let in. Its users are those of Users.
type Secured struct {
	TLS, MTLS          string // host:port; MTLS wants a certificate of Clients
	SASL, SASLTLS      string // every mechanism, without and with TLS
	Expired, OtherHost string // TLS with a certificate that has expired, and with one for another host

	Authority, Clients *testcert.Authority // of the broker, and of those who come
}

// User may come to a secured broker. Mechanism is as in driftd's config.
type User struct{ Mechanism, Name, Password string }

// Users are those of a secured broker.
func Users() []User {
	return []User{
		{"plain", "p", "canary-plain"},
		{"scram-sha-256", "s256", "canary-scram-256"},
		{"scram-sha-512", "s512", "canary-scram-512"},
	}
}

// Secure starts Apache Kafka with certificates of authorities that are made for it; t is skipped where tests run on the embedded broker.
func Secure(t testing.TB) *Secured {
	t.Helper()
	if !Real() {
		t.Skip("this is tried on Apache Kafka alone: make test-kafka")
	}
	s := &Secured{Authority: testcert.New(t, "brokers"), Clients: testcert.New(t, "clients")}
	dir := t.TempDir()
	certs := map[string]testcert.Leaf{"tls": {Name: "broker"}, "expired": {Name: "broker", Expired: true}, "otherhost": {Name: "broker", Hosts: []string{"kafka.example"}}}
	stores := make(map[string]string)
	for name, leaf := range certs {
		stores[name] = s.Authority.Issue(leaf).Keystore(filepath.Join(dir, name+".pem"))
	}
	trusted := s.Clients.File(filepath.Join(dir, "clients.pem"))

	var listeners []apache.Listener
	listen := func(name, protocol string, more ...string) {
		listeners = append(listeners, apache.Listener{Name: name, Protocol: protocol, Properties: more})
	}
	presents := func(name string) []string {
		return []string{"ssl.keystore.type=PEM", "ssl.keystore.location=" + stores[name]}
	}
	var sasl, format []string
	for _, u := range Users() {
		m := strings.ToUpper(u.Mechanism)
		module := "org.apache.kafka.common.security.scram.ScramLoginModule required;"
		if u.Mechanism == "plain" {
			module = fmt.Sprintf(`org.apache.kafka.common.security.plain.PlainLoginModule required user_%s="%s";`, u.Name, u.Password)
		} else {
			format = append(format, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", m, u.Name, u.Password))
		}
		sasl = append(sasl, u.Mechanism+".sasl.jaas.config="+module)
	}
	sasl = append(sasl, "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512")
	listen("TLS", "SSL", presents("tls")...)
	listen("MTLS", "SSL", append(presents("tls"), "ssl.client.auth=required", "ssl.truststore.type=PEM", "ssl.truststore.location="+trusted)...)
	listen("SASL", "SASL_PLAINTEXT", sasl...)
	listen("SASLTLS", "SASL_SSL", append(presents("tls"), sasl...)...)
	listen("EXPIRED", "SSL", presents("expired")...)
	listen("OTHERHOST", "SSL", presents("otherhost")...)

	c, err := apache.Start(apache.Options{Listeners: listeners, Format: format})
	if missing, ok := errors.AsType[*apache.UnavailableError](err); ok {
		t.Skip("DRIFTD_TEST_KAFKA=1, but Apache Kafka cannot be run here: ", missing)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s.TLS, s.MTLS, s.SASL, s.SASLTLS = c.Addr("TLS", 0), c.Addr("MTLS", 0), c.Addr("SASL", 0), c.Addr("SASLTLS", 0)
	s.Expired, s.OtherHost = c.Addr("EXPIRED", 0), c.Addr("OTHERHOST", 0)
	return s
}
