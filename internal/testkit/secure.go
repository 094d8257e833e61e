package testkit

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

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
	ports, err := freePorts(8)
	if err != nil {
		t.Fatal(err)
	}
	certs := map[string]testcert.Leaf{"tls": {Name: "broker"}, "expired": {Name: "broker", Expired: true}, "otherhost": {Name: "broker", Hosts: []string{"kafka.example"}}}
	stores := make(map[string]string)
	for name, leaf := range certs {
		stores[name] = s.Authority.Issue(leaf).Keystore(filepath.Join(dir, name+".pem"))
	}
	trusted := s.Clients.File(filepath.Join(dir, "clients.pem"))

	var listeners, protocols, lines []string
	listen := func(i int, name, protocol string, more ...string) (addr string) {
		addr = fmt.Sprintf("127.0.0.1:%d", ports[i])
		listeners = append(listeners, name+"://"+addr)
		protocols = append(protocols, name+":"+protocol)
		for _, m := range more {
			lines = append(lines, "listener.name."+strings.ToLower(name)+"."+m)
		}
		return addr
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
	s.TLS = listen(0, "TLS", "SSL", presents("tls")...)
	s.MTLS = listen(1, "MTLS", "SSL", append(presents("tls"), "ssl.client.auth=required", "ssl.truststore.type=PEM", "ssl.truststore.location="+trusted)...)
	s.SASL = listen(2, "SASL", "SASL_PLAINTEXT", sasl...)
	s.SASLTLS = listen(3, "SASLTLS", "SASL_SSL", append(presents("tls"), sasl...)...)
	s.Expired = listen(4, "EXPIRED", "SSL", presents("expired")...)
	s.OtherHost = listen(5, "OTHERHOST", "SSL", presents("otherhost")...)

	err = runKafka(s.TLS, func(dir string) string {
		all := serverProperties(fmt.Sprintf("127.0.0.1:%d", ports[6]), ports[7], dir)
		for key, more := range map[string][]string{"listeners=": listeners, "advertised.listeners=": listeners, "listener.security.protocol.map=": protocols} {
			all = strings.Replace(all, "\n"+key, "\n"+key+strings.Join(more, ",")+",", 1)
		}
		return all + strings.Join(append(lines, "inter.broker.listener.name=PLAINTEXT", ""), "\n")
	}, format...)
	if s, ok := err.(skipped); ok {
		t.Skip("DRIFTD_TEST_KAFKA=1, but Apache Kafka cannot be run here: ", s.error)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}
