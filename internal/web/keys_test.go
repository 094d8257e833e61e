package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/internal/testcert"
)

// keyring is what the files hold.
type keyring struct {
	mu  sync.Mutex
	now Keys
	err error
}

func (k *keyring) read() (Keys, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now, k.err
}

func (k *keyring) set(now Keys, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now, k.err = now, err
}

func tokens(secrets ...string) (k Keys) {
	for _, s := range secrets {
		k.Tokens = append(k.Tokens, Token{Name: "ci", Secret: s, Write: true})
	}
	return k
}

// TestKeysAreReplaced while the server runs: nothing has to be said to it; old and new hold side by side where both stand in the files;
// what cannot be read changes nothing, and is said once.
func TestKeysAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		files := &keyring{now: tokens("old token")}
		s := &Server{cfg: Config{Keys: files.read, Log: slog.New(slog.NewTextHandler(&said, nil))}}
		s.use(files.now)
		ctx, cancel := context.WithCancel(t.Context())
		go s.follow(ctx)
		lets := func(secret string) bool {
			r := request("POST", "/-/reload")
			r.Header.Set("Authorization", "Bearer "+secret)
			_, no := s.enter(r, writes)
			return no == nil
		}
		f := func(what string, k Keys, err error, old, new bool, log string) {
			t.Helper()
			said.Reset()
			files.set(k, err)
			time.Sleep(3*keysEvery + time.Second)
			synctest.Wait()
			if lets("old token") != old || lets("new token") != new {
				t.Errorf("%s: the old token %v, the new one %v", what, lets("old token"), lets("new token"))
			}
			if strings.Count(said.String(), "\n") != min(len(log), 1) || !strings.Contains(said.String(), log) || strings.Contains(said.String(), " token\"") {
				t.Errorf("%s: said %q", what, said.String())
			}
			if (s.Trouble() != "") != (err != nil) {
				t.Errorf("%s: trouble %q", what, s.Trouble())
			}
		}
		f("nothing", tokens("old token"), nil, true, false, "")
		f("both", tokens("new token", "old token"), nil, true, true, "in force")
		f("the file is away", Keys{}, errors.New("read secret /t: no such file"), true, true, "no such file")
		f("the same again", Keys{}, errors.New("read secret /t: no such file"), true, true, "")
		f("it is back", tokens("new token", "old token"), nil, true, true, "in force")
		f("the old one is gone", tokens("new token"), nil, false, true, "in force")
		files.set(tokens("old token"), nil)
		if err := s.Refresh(); err != nil || !lets("old token") || lets("new token") {
			t.Error("told to read them anew:", err)
		}
		files.set(Keys{TLS: &tls.Config{}}, nil)
		if err := s.Refresh(); err == nil || !lets("old token") {
			t.Error("TLS turned on:", err)
		}
		cancel()
	})
}

// TestTLS: who has a certificate of the authorities may write and is known by its name; who has none needs a token; who has another's gets
// no connection. Certificates and authorities are replaced while the server runs, also for connections that are open.
func TestTLS(t *testing.T) {
	ours, theirs, next := testcert.New(t, "ours"), testcert.New(t, "theirs"), testcert.New(t, "next")
	keys := func(a *testcert.Authority, name string) Keys {
		k := tokens("a token that writes")
		k.TLS = &tls.Config{Certificates: []tls.Certificate{a.Issue(testcert.Leaf{Name: name}).Certificate}, ClientCAs: a.Pool()}
		return k
	}
	files := &keyring{now: keys(ours, "first")}
	reloads := 0
	s, err := Listen(Config{
		Listen: "127.0.0.1:0", Keys: files.read, Ready: func() []Check { return nil }, Reload: func() error { reloads++; return nil }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()

	client := func(a *testcert.Authority, certs ...*testcert.Cert) *http.Client {
		c := &tls.Config{RootCAs: a.Pool()}
		for _, cert := range certs {
			c.Certificates = append(c.Certificates, cert.Certificate)
		}
		tr := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr}
	}
	reload := func(c *http.Client, token string) (int, *http.Response) {
		req, _ := http.NewRequest("POST", "https://"+s.Addr()+"/-/reload", nil)
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := c.Do(req)
		if err != nil {
			return 0, nil
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, resp
	}
	jane := client(ours, ours.Issue(testcert.Leaf{Name: "jane"}))
	for what, f := range map[string]struct {
		c     *http.Client
		token string
		want  int
	}{
		"ours":                      {jane, "", 200},
		"ours, with a wrong token":  {jane, "wrong", 401},
		"none":                      {client(ours), "", 401},
		"none, with a token":        {client(ours), "a token that writes", 200},
		"another authority's":       {client(ours, theirs.Issue(testcert.Leaf{Name: "jane"})), "", 0},
		"expired":                   {client(ours, ours.Issue(testcert.Leaf{Name: "jane", Expired: true})), "", 0},
		"the server is not trusted": {client(theirs, ours.Issue(testcert.Leaf{Name: "jane"})), "", 0},
	} {
		if f.want == 0 && what != "the server is not trusted" {
			// Go's client does not send a certificate of authorities that it was not asked for; one that insists does.
			tc := f.c.Transport.(*http.Transport).TLSClientConfig
			cert := tc.Certificates[0]
			tc.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
		}
		if got, resp := reload(f.c, f.token); got != f.want {
			t.Errorf("%s: %d, want %d", what, got, f.want)
		} else if resp != nil && resp.ProtoMajor != 1 {
			t.Errorf("%s: HTTP/%d", what, resp.ProtoMajor)
		}
	}
	if reloads != 2 {
		t.Errorf("reloaded %d times", reloads)
	}
	if r, err := http.Get("http://" + s.Addr() + "/-/ready"); err == nil && r.StatusCode == 200 {
		t.Error("answered without TLS")
	}

	// Another authority takes over: the open connection of its predecessor's client counts no more.
	files.set(keys(next, "second"), nil)
	if err := s.Refresh(); err != nil {
		t.Fatal(err)
	}
	if got, _ := reload(jane, ""); got != 401 {
		t.Errorf("with a certificate of the authority of before: %d", got)
	}
	bob := client(next, next.Issue(testcert.Leaf{Name: "bob"}))
	if got, resp := reload(bob, ""); got != 200 || resp.TLS.PeerCertificates[0].Subject.CommonName != "second" {
		t.Errorf("with one of the new authority: %d", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestNamesOfCertificates: what the audit log shows is one line, however long and strange the name.
func TestNamesOfCertificates(t *testing.T) {
	a := testcert.New(t, "ours")
	for name, want := range map[string]string{
		"jane":                     "jane",
		" jane\r\nfor root\x1b[2J": "janefor root[2J",
		"":                         "host.example", // of its hosts
		strings.Repeat("ä", 100):   strings.Repeat("ä", maxAuthor/2),
		"a\u202egnp.exe\u200b":     "agnp.exe",
	} {
		if got := named(a.Issue(testcert.Leaf{Name: name, Hosts: []string{"host.example"}}).Leaf); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if got := named(a.Issue(testcert.Leaf{Hosts: []string{"127.0.0.1"}}).Leaf); got == "" {
		t.Error("nobody has a name")
	}
}
