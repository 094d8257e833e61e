// Package signature signs and verifies HTTP messages as the Standard Webhooks specification says
// (https://www.standardwebhooks.com): HMAC-SHA256 over "id.timestamp.body", sent in three headers.
package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed message.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// Tolerance is how far a message's timestamp may be from the verifier's clock.
const Tolerance = 5 * time.Minute

// ErrSignature is returned by Verify for every message that must not be trusted.
var ErrSignature = errors.New("signature does not match")

// Key signs and verifies. It prints as "***", so that it cannot end up in a log by accident.
type Key struct{ secret []byte }

// ParseKey reads a secret: "whsec_" and base64, or the raw bytes of anything else. It fails on an empty secret and on
// a "whsec_" one that is not base64; the error does not repeat the secret.
func ParseKey(secret string) (Key, error) {
	encoded, ok := strings.CutPrefix(secret, "whsec_")
	if !ok {
		if secret == "" {
			return Key{}, errors.New("parse signing secret: it is empty")
		}
		return Key{[]byte(secret)}, nil
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) == 0 {
		return Key{}, errors.New("parse signing secret: what follows whsec_ is not base64")
	}
	return Key{raw}, nil
}

// Empty says that there is no key to sign with.
func (k Key) Empty() bool { return len(k.secret) == 0 }

// String hides the secret.
func (Key) String() string { return "***" }

// GoString hides the secret.
func (Key) GoString() string { return "***" }

// Sign sets the three headers on h for a message of this id and body, sent at now.
func (k Key) Sign(h http.Header, id string, now time.Time, body []byte) {
	ts := strconv.FormatInt(now.Unix(), 10)
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, ts)
	h.Set(HeaderSignature, "v1,"+base64.StdEncoding.EncodeToString(k.mac(id, ts, body)))
}

// Verify returns nil when one of the signatures in h is ours and the timestamp is within Tolerance of now, and an
// error that wraps ErrSignature otherwise.
func (k Key) Verify(h http.Header, now time.Time, body []byte) error {
	id, ts := h.Get(HeaderID), h.Get(HeaderTimestamp)
	sec, err := strconv.ParseInt(ts, 10, 64)
	if id == "" || err != nil {
		return fmt.Errorf("verify message: %w: id or timestamp is missing", ErrSignature)
	}
	if age := now.Sub(time.Unix(sec, 0)); age > Tolerance || age < -Tolerance {
		return fmt.Errorf("verify message: %w: timestamp is too far from now", ErrSignature)
	}
	want := k.mac(id, ts, body)
	for _, s := range strings.Fields(h.Get(HeaderSignature)) {
		encoded, ok := strings.CutPrefix(s, "v1,")
		if !ok {
			continue
		}
		if got, err := base64.StdEncoding.DecodeString(encoded); err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return fmt.Errorf("verify message: %w", ErrSignature)
}

func (k Key) mac(id, ts string, body []byte) []byte {
	m := hmac.New(sha256.New, k.secret)
	m.Write([]byte(id + "." + ts + "."))
	m.Write(body)
	return m.Sum(nil)
}
