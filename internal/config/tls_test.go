package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestTLSFiles holds that paths start from the config's folder, wherever the process runs, and are not joined to it twice.
func TestTLSFiles(t *testing.T) {
	parent := t.TempDir()
	t.Chdir(parent)
	if err := os.Mkdir("etc", 0o755); err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<33, 0), IsCA: true, BasicConstraintsValid: true}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join("etc", name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const text = "kafka: {brokers: [a:1], tls: {enabled: true, ca_file: cert.pem, cert_file: cert.pem, key_file: key.pem}}\nsources: [{topic: t}]\nrules: [r]\n"
	c, problems := parse(Sources{File: "etc/driftd.yaml"}, []byte(text))
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", problems.Text())
	}
	got, err := c.Kafka.TLS.Config()
	if err != nil || got.RootCAs == nil || len(got.Certificates) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	if off, err := (&TLS{CAFile: "nowhere"}).Config(); off != nil || err != nil {
		t.Errorf("without TLS there is %v, %v", off, err)
	}
}
