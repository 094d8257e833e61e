package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/driftd/driftd/internal/testcert"
)

// TestKeysAreRead as the files have them at the time; what cannot be is told with its file, and without what is in it.
func TestKeysAreRead(t *testing.T) {
	dir := t.TempDir()
	a := testcert.New(t, "ours")
	first := a.Issue(testcert.Leaf{Name: "first"})
	first.Files(dir, "http")
	a.File(filepath.Join(dir, "clients.pem"))
	file := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file("write", "canary-of-the-new\r\n\ncanary-of-the-old\n")
	file("read", "canary-of-those-who-read\n")
	c, problems := parse(Sources{File: filepath.Join(dir, "driftd.yaml"), Environ: []string{"CI=canary-of-the-environment"}}, []byte(`
kafka: {brokers: [localhost:9092]}
sources: [{topic: t}]
rules: [r]
http:
  listen: 0.0.0.0:8430
  tls: {cert_file: http.crt, key_file: http.key, client_ca_file: clients.pem}
  token: file:write
  tokens: [{name: grafana, secret: "file:read", scope: read}, {name: ci, secret: "${CI}"}]
`))
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", problems.Text())
	}
	names := func() (got string) {
		t.Helper()
		tokens, security, err := c.HTTP.Keys()
		if err != nil {
			return err.Error()
		}
		for _, k := range tokens {
			got += k.Name + ":" + strings.TrimPrefix(k.Token, "canary-of-")
			if k.Write {
				got += "!"
			}
			got += " "
		}
		if !security.ClientCAs.Equal(a.Pool()) {
			t.Error("other authorities")
		}
		return got + security.Certificates[0].Leaf.Subject.CommonName
	}
	f := func(want string) {
		t.Helper()
		if got := names(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f("token:the-new! token:the-old! grafana:those-who-read ci:the-environment! first")
	file("write", "canary-of-the-new\n")
	a.Issue(testcert.Leaf{Name: "second"}).Files(dir, "http")
	f("token:the-new! grafana:those-who-read ci:the-environment! second")

	wrong := func(want string) {
		t.Helper()
		if got := names(); !strings.Contains(got, want) || strings.Contains(got, "canary") || strings.Contains(got, "PRIVATE") {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	file("read", "canary-of-the-new\n")
	wrong("read token grafana: it is the token of another name too")
	file("read", "canary-a\ncanary-b\ncanary-c\n")
	wrong("read token grafana: the file has 3 lines")
	file("read", " canary-a\n")
	wrong("has spaces around it")
	file("read", "\n")
	wrong("read: it is empty")
	file("read", "canary-of-those-who-read\n")
	other := testcert.New(t, "other").Issue(testcert.Leaf{Name: "third"})
	_, key := other.Files(dir, "other")
	if err := os.Rename(key, filepath.Join(dir, "http.key")); err != nil {
		t.Fatal(err)
	}
	wrong("read certificate of HTTP: ")
	if err := os.Remove(filepath.Join(dir, "clients.pem")); err != nil {
		t.Fatal(err)
	}
	first.Files(dir, "http")
	wrong("clients.pem: no such file")
}
