package hooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/internal/signature"
)

// verifier checks the signature of a call against the clock, and returns the delivery's id where the headers have one.
type verifier func(h http.Header, body []byte, now time.Time) (id string, ok bool)

// recent says whether a time in Unix seconds is near enough to now.
func recent(seconds string, now time.Time) bool {
	sec, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return false
	}
	age := now.Sub(time.Unix(sec, 0))
	return age <= signature.Tolerance && age >= -signature.Tolerance
}

func sum(secret []byte, parts ...string) []byte {
	m := hmac.New(sha256.New, secret)
	for _, p := range parts {
		m.Write([]byte(p))
	}
	return m.Sum(nil)
}

// genericVerifier is that of Standard Webhooks.
func genericVerifier(key signature.Key) verifier {
	return func(h http.Header, body []byte, now time.Time) (string, bool) {
		return h.Get(signature.HeaderID), key.Verify(h, now, body) == nil
	}
}

// mlflowVerifier is that of MLflow 3: the same text as Standard Webhooks, under other headers, and the secret as it is.
func mlflowVerifier(secret []byte) verifier {
	return func(h http.Header, body []byte, now time.Time) (string, bool) {
		id, ts := h.Get("X-MLflow-Delivery-Id"), h.Get("X-MLflow-Timestamp")
		encoded, v1 := strings.CutPrefix(h.Get("X-MLflow-Signature"), "v1,")
		got, err := base64.StdEncoding.DecodeString(encoded)
		return id, v1 && err == nil && id != "" && recent(ts, now) && hmac.Equal(got, sum(secret, id, ".", ts, ".", string(body)))
	}
}

// langfuseVerifier is that of Langfuse: t=<seconds>,v1=<hex>. Its deliveries have their id in the body.
func langfuseVerifier(secret []byte) verifier {
	return func(h http.Header, body []byte, now time.Time) (string, bool) {
		var ts string
		var sums [][]byte
		for field := range strings.SplitSeq(h.Get("X-Langfuse-Signature"), ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
			switch name {
			case "t":
				ts = value
			case "v1":
				if raw, err := hex.DecodeString(value); err == nil {
					sums = append(sums, raw)
				}
			}
		}
		want := sum(secret, ts, ".", string(body))
		return "", recent(ts, now) && slices.ContainsFunc(sums, func(got []byte) bool { return hmac.Equal(got, want) })
	}
}

// delivery is what a call tells.
type delivery struct {
	id    string // where the body has it
	moves bool   // it says that the label points at a version now
	event registry.Event
}

var errNoEvent = errors.New("prompt or version is missing")

// parse reads the body of a call that was verified.
func parse(kind string, body []byte, label string) (delivery, error) {
	switch kind {
	case "mlflow":
		return parseMLflow(body, label)
	case "langfuse":
		return parseLangfuse(body, label)
	}
	return parseGeneric(body)
}

// text is a version: a string, or a number.
type text string

func (t *text) UnmarshalJSON(raw []byte) error {
	var s string
	if err := json.Unmarshal(raw, &s); err == nil {
		*t = text(s)
		return nil
	}
	var n json.Number
	err := json.Unmarshal(raw, &n)
	*t = text(n)
	return err
}

// moment is a time in RFC 3339; what is none counts as not told.
type moment time.Time

func (m *moment) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		if at, err := time.Parse(time.RFC3339, s); err == nil {
			*m = moment(at)
		}
	}
	return nil
}

const longestName = 1000 // bytes of a prompt's name or a version

// move is a delivery that tells of a move.
func move(id, prompt string, version text, author string, at moment) (delivery, error) {
	if prompt == "" || version == "" || len(prompt) > longestName || len(version) > longestName {
		return delivery{}, errNoEvent
	}
	return delivery{id, true, registry.Event{Prompt: prompt, Version: string(version), Author: author, At: time.Time(at)}}, nil
}

func parseGeneric(body []byte) (delivery, error) {
	var b struct {
		Prompt  string `json:"prompt"`
		Version text   `json:"version"`
		Author  string `json:"author"`
		Time    moment `json:"time"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return delivery{}, err
	}
	return move("", b.Prompt, b.Version, b.Author, b.Time)
}

// parseMLflow reads an event of MLflow. A move of an alias is told as one that was created; nobody is named.
func parseMLflow(body []byte, label string) (delivery, error) {
	var b struct {
		Entity    string `json:"entity"`
		Action    string `json:"action"`
		Timestamp moment `json:"timestamp"`
		Data      struct {
			Name    string `json:"name"`
			Alias   string `json:"alias"`
			Version text   `json:"version"`
		} `json:"data"`
	}
	switch err := json.Unmarshal(body, &b); {
	case err != nil:
		return delivery{}, err
	case b.Entity == "":
		return delivery{}, errNoEvent
	case b.Entity != "prompt_alias" || b.Action != "created" || b.Data.Alias != label:
		return delivery{}, nil
	}
	return move("", b.Data.Name, b.Data.Version, "", b.Timestamp)
}

// parseLangfuse reads an event of Langfuse. A move is told once for the version that has the label now, and once for the one that had
// it, in no order; a change of anything else of the version that has it looks the same as a move. Users are named, API keys are not.
// The call's own timestamp is when it was made, which may be long after: the time is that of the version's last change.
func parseLangfuse(body []byte, label string) (delivery, error) {
	var b struct {
		ID        string `json:"id"`
		Type      string `json:"type"`
		Action    string `json:"action"`
		Timestamp moment `json:"timestamp"`
		User      struct {
			Name  string `json:"name"`
			Email string `json:"email"`
		} `json:"user"`
		Prompt struct {
			Name    string   `json:"name"`
			Version text     `json:"version"`
			Labels  []string `json:"labels"`
			Updated moment   `json:"updatedAt"`
		} `json:"prompt"`
	}
	switch err := json.Unmarshal(body, &b); {
	case err != nil:
		return delivery{}, err
	case b.Type == "" || b.ID == "":
		return delivery{}, errNoEvent
	case b.Type != "prompt-version" || b.Action != "created" && b.Action != "updated" || !slices.Contains(b.Prompt.Labels, label):
		return delivery{}, nil
	}
	author := b.User.Name
	if author == "" {
		author = b.User.Email
	}
	at := b.Prompt.Updated
	if time.Time(at).IsZero() {
		at = b.Timestamp
	}
	return move(b.ID+"/"+string(b.Prompt.Version), b.Prompt.Name, b.Prompt.Version, author, at)
}
