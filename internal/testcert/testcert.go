// Package testcert makes certificates for tests: an authority, and what it signs, good and bad, in memory and as PEM files. Nothing
// has to be installed for it.
package testcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates.
type Authority struct {
	t    testing.TB
	name string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// New makes an authority that nobody knows yet.
func New(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{t: t, name: name, key: newKey(t)}
	a.cert = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, nil, a.key)
	return a
}

// Leaf is what a certificate says.
type Leaf struct {
	Name    string   // its subject
	Hosts   []string // names and addresses that a server has; 127.0.0.1 and localhost unless told otherwise
	Expired bool     // since a minute ago
}

// Cert is a certificate with its key.
type Cert struct {
	tls.Certificate
	t          testing.TB
	chain, key []byte // PEM
}

// Issue signs a certificate for servers and clients.
func (a *Authority) Issue(l Leaf) *Cert {
	a.t.Helper()
	key := newKey(a.t)
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: l.Name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if l.Expired {
		template.NotAfter = time.Now().Add(-time.Minute)
	}
	if l.Hosts == nil {
		l.Hosts = []string{"127.0.0.1", "localhost"}
	}
	for _, h := range l.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	cert := a.sign(template, a.cert, key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return &Cert{
		Certificate: tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}, t: a.t,
		chain: append(block("CERTIFICATE", cert.Raw), block("CERTIFICATE", a.cert.Raw)...), key: block("PRIVATE KEY", der),
	}
}

// Pool trusts this authority alone.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// File writes the authority's certificate and returns the path.
func (a *Authority) File(path string) string {
	a.t.Helper()
	return write(a.t, path, block("CERTIFICATE", a.cert.Raw))
}

// Files writes the certificate with its authority's, and the key.
func (c *Cert) Files(dir, name string) (cert, key string) {
	c.t.Helper()
	return write(c.t, filepath.Join(dir, name+".crt"), c.chain), write(c.t, filepath.Join(dir, name+".key"), c.key)
}

// Keystore writes key and certificate into one file, as Kafka's brokers read them.
func (c *Cert) Keystore(path string) string {
	c.t.Helper()
	return write(c.t, path, append(append([]byte{}, c.key...), c.chain...))
}

func (a *Authority) sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = serial
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func write(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
