package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/signature"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// roundTrip answers in place of a server.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func handler(h http.HandlerFunc) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		h(w, r)
		return w.Result(), nil
	}
}

func receiver(t *testing.T, rt http.RoundTripper) alert.Receiver {
	t.Helper()
	key, err := signature.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{URL: "https://user:pass-word@hook.test/in?token=very-secret", Key: key, Transport: rt, Now: time.Now})
}

func notification() *alert.Notification {
	v := 0.78
	r := detector.Record{ID: "9f3c", Step: 3, Type: detector.Firing, Time: time.Date(2026, 11, 20, 14, 41, 0, 0, time.UTC), Group: "g", Rule: "R",
		Prompt: "p", Version: "v23", Metric: "m", Kind: "threshold", Value: &v, Samples: 412, Annotations: map[string]string{"summary": "<b>&"}}
	return &alert.Notification{Firing: []alert.Member{{Record: r}}}
}

func TestDeliver(t *testing.T) {
	key, _ := signature.ParseKey(secret)
	var got detector.Record
	w := receiver(t, handler(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := key.Verify(r.Header, time.Now(), body); err != nil {
			t.Error(err)
		}
		if r.Method != "POST" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get(signature.HeaderID) != "9f3c-3" {
			t.Errorf("%s %v", r.Method, r.Header)
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	n := notification()
	if _, err := w.Deliver(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	want := n.Firing[0].Record
	if got.ID != want.ID || got.Type != want.Type || *got.Value != *want.Value || got.Annotations["summary"] != "<b>&" || !got.Time.Equal(want.Time) {
		t.Errorf("body %+v", got)
	}
}

func TestAnswers(t *testing.T) {
	f := func(status int, retryAfter string, kind alert.FailureKind, after time.Duration) {
		t.Helper()
		w := receiver(t, handler(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", retryAfter)
			w.Header().Set("Location", "https://elsewhere.test/")
			w.WriteHeader(status)
			fmt.Fprintf(w, "sent to %s with %s", r.URL, r.Header.Get(signature.HeaderSignature))
		}))
		_, err := w.Deliver(t.Context(), notification())
		got, ok := errors.AsType[*alert.Failure](err)
		if !ok {
			t.Fatalf("%d gives %v", status, err)
		}
		if got.Kind != kind || got.After.Round(time.Second) != after || got.Reason != fmt.Sprintf("answered %d", status) {
			t.Errorf("%d gives %+v", status, got)
		}
		for _, s := range []string{"very-secret", "pass-word", "v1,", "MfKQ"} {
			if strings.Contains(got.Error(), s) {
				t.Errorf("the error shows %s: %v", s, got)
			}
		}
	}
	f(302, "", alert.Refused, 0)
	f(400, "", alert.Refused, 0)
	f(401, "9", alert.Refused, 0)
	f(404, "", alert.Refused, 0)
	f(410, "", alert.Refused, 0)
	f(408, "", alert.Unavailable, 0)
	f(425, "", alert.Unavailable, 0)
	f(429, "12", alert.Unavailable, 12*time.Second)
	f(500, "", alert.Unavailable, 0)
	f(503, "7", alert.Unavailable, 7*time.Second)

	synctest.Test(t, func(t *testing.T) { // where a date is exact
		w := receiver(t, handler(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", time.Now().Add(90*time.Second).UTC().Format(http.TimeFormat))
			w.WriteHeader(429)
		}))
		_, err := w.Deliver(t.Context(), notification())
		if got, ok := errors.AsType[*alert.Failure](err); !ok || got.After != 90*time.Second {
			t.Errorf("a date gives %+v", got)
		}
	})
}

func TestNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, fmt.Errorf("%s: %w", r.URL, r.Context().Err())
		})
		begin := time.Now()
		_, err := receiver(t, hang).Deliver(t.Context(), notification())
		got, ok := errors.AsType[*alert.Failure](err)
		if !ok || got.Kind != alert.Unavailable || time.Since(begin) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		if strings.Contains(err.Error(), "very-secret") || strings.Contains(err.Error(), "pass-word") {
			t.Errorf("the error shows the address: %v", err)
		}
	})
	bad := New(Config{URL: "://very-secret", Now: time.Now})
	if _, err := bad.Deliver(t.Context(), notification()); err == nil || strings.Contains(err.Error(), "very-secret") {
		t.Errorf("not an address: %v", err)
	}
}

// Each of what happened is a body of its own, with a name that stays the same; one that is refused does not keep the others back.
func TestNews(t *testing.T) {
	n := notification()
	fire := n.Firing[0].Record
	n.News = []detector.Record{fire}
	at := fire.Time.Add(time.Hour)
	for _, typ := range []detector.RecordType{detector.RollbackProposed, detector.RollbackReminded, detector.RollbackApproved, detector.Ineffective} {
		n.News = append(n.News, alert.Action(&fire, typ, at))
	}
	f := func(answer map[string]int, want ...string) error {
		t.Helper()
		var got []string
		w := receiver(t, handler(func(w http.ResponseWriter, r *http.Request) {
			var rec detector.Record
			if err := json.NewDecoder(r.Body).Decode(&rec); err != nil || rec.ID != "9f3c" || rec.Step != 3 {
				t.Errorf("%+v %v", rec, err)
			}
			got = append(got, r.Header.Get(signature.HeaderID)+" "+string(rec.Type))
			w.WriteHeader(max(answer[string(rec.Type)], 200))
		}))
		_, err := w.Deliver(t.Context(), n)
		if !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		return err
	}
	all := []string{
		"9f3c-3 firing", "9f3c-3-rollback_proposed rollback_proposed", fmt.Sprintf("9f3c-3-rollback_reminded-%d rollback_reminded", at.Unix()),
		"9f3c-3-rollback_approved rollback_approved", "9f3c-3-ineffective ineffective",
	}
	if err := f(nil, all...); err != nil {
		t.Error(err)
	}
	err := f(map[string]int{"rollback_proposed": 422}, all...)
	if got, ok := errors.AsType[*alert.Failure](err); !ok || got.Kind != alert.Refused || got.Reason != "answered 422" {
		t.Errorf("one was refused: %v", err)
	}
	err = f(map[string]int{"rollback_proposed": 503}, all[:2]...)
	if got, ok := errors.AsType[*alert.Failure](err); !ok || got.Kind != alert.Unavailable {
		t.Errorf("one was not taken: %v", err)
	}
}
