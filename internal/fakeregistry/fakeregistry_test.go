package fakeregistry

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/signature"
)

// Over the wire, as the demo uses it. The protocol itself is tested with its client in alert/registry/webhook.
func TestStart(t *testing.T) {
	key, err := signature.ParseKey("shared")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{Key: key, Now: time.Now})
	s.Set("p", "v1")
	s.Set("p", "v2")
	var watched []Promotion
	s.Watch(func(p Promotion) { watched = append(watched, p) })
	url, stop, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()

	post := func(body string, sign bool) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", url+"/prompts/p/promote", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if sign {
			key.Sign(r.Header, "a-1", time.Now(), []byte(body))
		}
		r.Header.Set("Idempotency-Key", "a-1")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	good := `{"version":"v1","expect":"v2","alert":"a","reason":"r"}`
	for _, c := range []struct {
		body string
		sign bool
		want int
	}{
		{good, false, 401}, {`{"version":"v1"}`, true, 400}, {`{"version":"v9","expect":"v2"}`, true, 404}, {`{"version":"v1","expect":"v7"}`, true, 409},
		{good, true, 200}, {good, true, 200},
	} {
		if got := post(c.body, c.sign); got != c.want {
			t.Errorf("%s signed=%v: %d, want %d", c.body, c.sign, got, c.want)
		}
	}
	if len(watched) != 1 || len(s.Promotions()) != 1 || s.Current("p") != "v1" {
		t.Errorf("watched %+v, promotions %+v, current %s", watched, s.Promotions(), s.Current("p"))
	}
}
