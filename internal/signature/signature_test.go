package signature

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The vector that the specification's reference libraries test themselves with.
const (
	vectorSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID     = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorBody   = `{"test": 2432232314}`
	vectorSig    = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

var vectorTime = time.Unix(1614265330, 0)

func mustKey(t *testing.T, secret string) Key {
	t.Helper()
	k, err := ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSignVector(t *testing.T) {
	h := http.Header{}
	mustKey(t, vectorSecret).Sign(h, vectorID, vectorTime, []byte(vectorBody))
	if got := h.Get(HeaderSignature); got != vectorSig {
		t.Errorf("signature %q, want %q", got, vectorSig)
	}
	if h.Get(HeaderID) != vectorID || h.Get(HeaderTimestamp) != "1614265330" {
		t.Errorf("headers %v", h)
	}
}

func TestVerify(t *testing.T) {
	f := func(name string, change func(h http.Header, body *string, now *time.Time), ok bool) {
		t.Helper()
		h := http.Header{}
		k := mustKey(t, "raw secret")
		body, now := vectorBody, vectorTime
		k.Sign(h, vectorID, vectorTime, []byte(body))
		change(h, &body, &now)
		err := k.Verify(h, now, []byte(body))
		if ok != (err == nil) || !ok && !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "raw secret") {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}
	f("untouched", func(http.Header, *string, *time.Time) {}, true)
	f("a second signature", func(h http.Header, _ *string, _ *time.Time) {
		h.Set(HeaderSignature, "v1,AAAA v2,x "+h.Get(HeaderSignature))
	}, true)
	f("just in time", func(_ http.Header, _ *string, now *time.Time) { *now = now.Add(Tolerance) }, true)
	f("too old", func(_ http.Header, _ *string, now *time.Time) { *now = now.Add(Tolerance + time.Second) }, false)
	f("from the future", func(_ http.Header, _ *string, now *time.Time) { *now = now.Add(-Tolerance - time.Second) }, false)
	f("another body", func(_ http.Header, body *string, _ *time.Time) { *body += " " }, false)
	f("another id", func(h http.Header, _ *string, _ *time.Time) { h.Set(HeaderID, "other") }, false)
	f("no id", func(h http.Header, _ *string, _ *time.Time) { h.Del(HeaderID) }, false)
	f("another time", func(h http.Header, _ *string, _ *time.Time) { h.Set(HeaderTimestamp, "1614265331") }, false)
	f("no signature", func(h http.Header, _ *string, _ *time.Time) { h.Del(HeaderSignature) }, false)
	f("not base64", func(h http.Header, _ *string, _ *time.Time) { h.Set(HeaderSignature, "v1,~~") }, false)
}

func TestParseKey(t *testing.T) {
	for _, bad := range []string{"", "whsec_", "whsec_no base64!"} {
		if _, err := ParseKey(bad); err == nil {
			t.Errorf("ParseKey(%q) did not fail", bad)
		} else if bad != "" && strings.Contains(err.Error(), "no base64!") {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	k := mustKey(t, "hunter2")
	if s := fmt.Sprintf("%v %+v %#v %s", k, k, k, k); strings.Contains(s, "hunter2") {
		t.Errorf("a key prints its secret: %s", s)
	}
}
