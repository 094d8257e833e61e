package outbound

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestGuardCheck(t *testing.T) {
	none := Guard{}
	some := Guard{Allow: []netip.Prefix{netip.MustParsePrefix("169.254.7.0/24"), netip.MustParsePrefix("fe80::/10")}}
	f := func(g Guard, addr string, refused bool) {
		t.Helper()
		if err := g.Check(netip.MustParseAddr(addr)); (err != nil) != refused {
			t.Errorf("%s with %v allowed: %v", addr, g.Allow, err)
		}
	}
	for _, addr := range []string{
		"169.254.0.1", "169.254.169.254", "169.254.170.2", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::169.254.169.254",
		"fe80::1", "fe80::1%eth0", "febf::1", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "::ffff:100.100.100.200", "192.0.0.192", "168.63.129.16",
	} {
		f(none, addr, true)
	}
	for _, addr := range []string{
		"127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "100.100.100.201", "169.253.255.255", "169.255.0.0", "fec0::1", "fd00:ec3::1", "2001:db8::1",
		"64:ff9b::808:808", "2002:808:808::1", "::ffff:127.0.0.1",
	} {
		f(none, addr, false)
	}
	f(some, "169.254.7.9", false)
	f(some, "::ffff:169.254.7.9", false)
	f(some, "64:ff9b::a9fe:709", false)
	f(some, "fe80::1%eth0", false)
	f(some, "169.254.8.9", true)
	f(some, "fd00:ec2::254", true)
}

func TestGuardURL(t *testing.T) {
	for text, refused := range map[string]bool{
		"https://slack.com/api/": false, "http://127.0.0.1:8080/": false, "https://metadata.google.internal/": false, // by what it stands for
		"file:///etc/passwd": true, "gopher://127.0.0.1/": true, "/relative": true, "ftp://x.example": true,
		"http://169.254.169.254/latest/": true, "http://[::ffff:169.254.169.254]:80/": true, "http://[fe80::1%25eth0]/": true,
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := (Guard{}).URL(u); (err != nil) != refused || (Refused(err) != nil) != refused {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// names is a name server that gives each question for an IPv4 address the next of its answers, the last one again and again.
func names(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		for b := make([]byte, 1500); ; {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			end := 12
			for end < n && b[end] != 0 {
				end += int(b[end]) + 1
			}
			q := b[:end+5] // header and one question
			out := append([]byte(nil), q...)
			binary.BigEndian.PutUint16(out[2:], 0x8180)
			clear(out[6:12])
			if binary.BigEndian.Uint16(q[end+1:]) == 1 { // A
				out[7] = 1
				out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				out = append(out, net.ParseIP(answers[0]).To4()...)
				if len(answers) > 1 {
					answers = answers[1:]
				}
			}
			_, _ = conn.WriteTo(out, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// A name is judged by what it stands for when it is called, each time anew.
func TestNamesThatStandForGuardedAddresses(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	g := Guard{}
	d := g.dialer()
	d.Resolver = names(t, "127.0.0.1", "169.254.169.254")
	c := NewClient(newTransport(g, d))
	get := func() error {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://metadata.google.internal:"+port+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Close = true
		_, err = Do(c, r)
		return err
	}
	if err := get(); err != nil {
		t.Fatalf("while it stands for a good address: %v", err)
	}
	e := Refused(get())
	if e == nil || !strings.Contains(e.Error(), "169.254.169.254") || !strings.Contains(e.Hint(), "outgoing.allow") {
		t.Fatalf("now that it stands for another: %v", e)
	}
}

// A proxy is what is dialled: it must be allowed, and is not asked for guarded addresses.
func TestProxy(t *testing.T) {
	asked := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		io.WriteString(w, "for "+r.URL.Host)
	}))
	defer proxy.Close()
	through := func(proxy, target string) (string, error) {
		rt := NewTransport(Guard{}).(gate)
		u, err := url.Parse(proxy)
		if err != nil {
			t.Fatal(err)
		}
		rt.next.Proxy = http.ProxyURL(u)
		defer rt.CloseIdleConnections()
		r, err := http.NewRequestWithContext(t.Context(), "GET", target, nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := Do(NewClient(rt), r)
		return string(a.Body), err
	}
	if said, err := through(proxy.URL, "http://hooks.example/x"); err != nil || said != "for hooks.example" {
		t.Errorf("through a proxy: %q %v", said, err)
	}
	if _, err := through(proxy.URL, "http://169.254.169.254/x"); Refused(err) == nil {
		t.Errorf("a guarded address behind a proxy: %v", err)
	}
	if _, err := through("http://169.254.1.1:3128", "http://hooks.example/x"); Refused(err) == nil {
		t.Errorf("a proxy at a guarded address: %v", err)
	}
	if asked != 1 {
		t.Errorf("the proxy was asked %d times", asked)
	}
	if f := NewTransport(Guard{}).(gate).next.Proxy; f == nil {
		t.Error("proxies of the environment are not used")
	}
}

// An answer whose headers have no end is given up.
func TestHeaders(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 2*headerLimit))
	}))
	defer srv.Close()
	r, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Do(NewClient(nil), r); err == nil {
		t.Error("endless headers were read")
	}
}
