package outbound

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	f := func(v string, want time.Duration) {
		t.Helper()
		if got := RetryAfter(http.Header{"Retry-After": {v}}, now); got != want {
			t.Errorf("Retry-After %q is %v, want %v", v, got, want)
		}
	}
	f("", 0)
	f("30", 30*time.Second)
	f(" 1.5 ", 1500*time.Millisecond)
	f("-5", 0)
	f("NaN", 0)
	f("1e300", time.Hour)
	f("soon", 0)
	f("Fri, 20 Nov 2026 14:02:00 GMT", 2*time.Minute)
	f("Fri, 20 Nov 2026 13:02:00 GMT", 0)
	f("Sat, 20 Nov 2027 13:02:00 GMT", time.Hour)
}

func TestDelay(t *testing.T) {
	for n, want := range map[int]time.Duration{0: time.Second, 1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1000: time.Minute} {
		for range 50 {
			if d := Delay(n); d > want || d < want*4/5 {
				t.Fatalf("Delay(%d) = %v, want up to %v", n, d, want)
			}
		}
	}
}

func TestTransient(t *testing.T) {
	for status, want := range map[int]bool{200: false, 302: false, 400: false, 404: false, 408: true, 409: false, 425: true, 429: true, 500: true, 503: true} {
		if Transient(status) != want {
			t.Errorf("Transient(%d) = %v", status, !want)
		}
	}
}

func TestClient(t *testing.T) {
	var followed bool
	mux := http.NewServeMux()
	mux.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.UserAgent()) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/there", func(http.ResponseWriter, *http.Request) { followed = true })
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("x", 2*BodyLimit)) })
	srv := httptest.NewServer(mux)
	defer srv.Close()
	c := NewClient(nil)

	get := func(path string) Answer {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := Do(c, r)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := get("/away"); a.Status != http.StatusTemporaryRedirect || followed {
		t.Errorf("a redirect was followed: %d", a.Status)
	}
	if a := get("/who"); string(a.Body) != "driftd" {
		t.Errorf("asked as %q", a.Body)
	}
	if a := get("/big"); len(a.Body) != BodyLimit {
		t.Errorf("read %d bytes of an answer", len(a.Body))
	}
}

func TestErrorsHideTheURL(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	r, _ := http.NewRequestWithContext(t.Context(), "POST", srv.URL+"/services/T0/B0/hush", nil)
	if _, err := Do(NewClient(nil), r); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, _ = http.NewRequestWithContext(ctx, "POST", srv.URL+"/services/T0/B0/hush", nil)
	if _, err := Do(NewClient(nil), r); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "hush") {
		t.Errorf("error %v", err)
	}
	if got := Redact("failed with a b+c/d and a+b%2Bc%2Fd", "a b+c/d"); strings.Contains(got, "b+c") || strings.Contains(got, "b%2Bc") {
		t.Errorf("redacted %q", got)
	}
}

// TestPieces: what services put their keys into is hidden part by part; what is no key stays to be read.
func TestPieces(t *testing.T) {
	u, err := url.Parse("https://jane:canary-password@hooks.example/services/T0/canary-of-the-path%20x?key=canary-of-the-query&v=2")
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{u.String(), u.RequestURI(), u.Path, "no canary-of-the-path x here", "no canary-of-the-path%20x here", "key canary-of-the-query is wrong", "canary-password"} {
		if got := Redact(said, Pieces(u)...); strings.Contains(got, "canary") {
			t.Errorf("%s: %s", said, got)
		}
	}
	if got := Redact("no services at T0, v 2", Pieces(u)...); got != "no services at T0, v 2" {
		t.Error(got)
	}
}

func TestExcerpt(t *testing.T) {
	if got := Excerpt([]byte("bad\n\tthing\x00 \xff here")); got != "bad thing here" {
		t.Errorf("excerpt %q", got)
	}
	if got := Excerpt([]byte(strings.Repeat("x", 1000))); len(got) != 200 {
		t.Errorf("%d bytes", len(got))
	}
}
