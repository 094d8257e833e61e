// Package webhook is the client of the generic registry protocol: two signed calls that any team can put in front of the
// place where it keeps its prompts. It calls once; trying again is the caller's part.
package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/internal/outbound"
	"github.com/driftd/driftd/internal/signature"
)

// Config is what the client needs.
type Config struct {
	URL       string // base, without /prompts; may hold secrets and is not shown in errors
	Key       signature.Key
	Transport http.RoundTripper // nil for one of its own
	Now       func() time.Time  // of the signature
}

// Client talks to one registry; for concurrent use.
type Client struct {
	cfg    Config
	client *http.Client
}

// New returns a client; it makes no call.
func New(cfg Config) *Client { return &Client{cfg, outbound.NewClient(cfg.Transport)} }

// Current returns what is current now. Failures are a *registry.Error.
func (c *Client) Current(ctx context.Context, prompt string) (registry.State, error) {
	op := fmt.Sprintf("read current version of %q", prompt)
	a, err := c.call(ctx, op, http.MethodGet, prompt, "", "read-"+rand.Text(), nil)
	if err != nil {
		return registry.State{}, err
	}
	if a.Status != http.StatusOK {
		return registry.State{}, c.refused(op, a)
	}
	var body struct {
		Current  string `json:"current"`
		Versions []struct {
			Version   string    `json:"version"`
			CreatedAt time.Time `json:"created_at"`
		} `json:"versions"`
	}
	if err := json.Unmarshal(a.Body, &body); err != nil || body.Current == "" {
		return registry.State{}, &registry.Error{Op: op, Reason: "the answer names no current version"}
	}
	s := registry.State{Current: body.Current}
	for _, v := range body.Versions {
		s.Versions = append(s.Versions, registry.Version(v))
	}
	return s, nil
}

// Promote asks for p and returns what is current after it. Failures are a *registry.ConflictError when p.Expect was not
// current, and a *registry.Error otherwise.
func (c *Client) Promote(ctx context.Context, p registry.Promotion) (current string, err error) {
	op := fmt.Sprintf("promote %q of %q", p.Version, p.Prompt)
	body, err := json.Marshal(map[string]string{"version": p.Version, "expect": p.Expect, "alert": p.Alert, "reason": p.Reason})
	if err != nil {
		return "", &registry.Error{Op: op, Reason: "request cannot be encoded", Wrapped: err}
	}
	a, err := c.call(ctx, op, http.MethodPost, p.Prompt, "/promote", p.Key, body)
	if err != nil {
		return "", err
	}
	var answer struct {
		Current string `json:"current"`
	}
	err = json.Unmarshal(a.Body, &answer)
	switch {
	case a.Status == http.StatusConflict && err == nil && answer.Current != "":
		return "", &registry.ConflictError{Current: answer.Current}
	case a.Status != http.StatusOK:
		return "", c.refused(op, a)
	case err != nil || answer.Current == "":
		// It says that it did something. Reading back will show.
		return "", &registry.Error{Op: op, Reason: "the answer names no current version", Retry: true}
	}
	return answer.Current, nil
}

func (c *Client) call(ctx context.Context, op, method, prompt, verb, id string, body []byte) (outbound.Answer, error) {
	if prompt == "" || prompt == "." || prompt == ".." {
		// As part of a path these would name something else.
		return outbound.Answer{}, &registry.Error{Op: op, Reason: "no registry can have a prompt of this name"}
	}
	path, query, ok := strings.Cut(c.cfg.URL, "?")
	address := strings.TrimSuffix(path, "/") + "/prompts/" + url.PathEscape(prompt) + verb
	if ok {
		address += "?" + query
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return outbound.Answer{}, &registry.Error{Op: op, Reason: "url is not an address"} // the cause would show it
	}
	r.Header.Set("Accept", "application/json")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", id)
	}
	c.cfg.Key.Sign(r.Header, id, c.cfg.Now(), body)
	a, err := outbound.Do(c.client, r)
	if err != nil {
		return outbound.Answer{}, &registry.Error{Op: op, Reason: "no answer", Retry: true, Wrapped: errors.New(c.hide(err.Error(), r))}
	}
	a.Body = []byte(c.hide(string(a.Body), r))
	return a, nil
}

func (c *Client) hide(s string, r *http.Request) string {
	return outbound.Redact(s, c.cfg.URL, r.URL.User.String(), r.URL.RawQuery, r.Header.Get(signature.HeaderSignature))
}

func (c *Client) refused(op string, a outbound.Answer) error {
	e := &registry.Error{Op: op, Reason: fmt.Sprintf("the registry answered %d", a.Status), Retry: outbound.Transient(a.Status)}
	if e.Retry {
		e.After = outbound.RetryAfter(a.Header, c.cfg.Now())
	}
	if text := outbound.Excerpt(a.Body); text != "" {
		e.Wrapped = errors.New(text)
	}
	return e
}
