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

// state is the answer about a prompt.
type state struct {
	Current  string `json:"current"`
	Versions []struct {
		Version   string    `json:"version"`
		CreatedAt time.Time `json:"created_at"`
	} `json:"versions"`
}

func (c *Client) read(ctx context.Context, op, prompt string) (s state, err error) {
	a, err := c.call(ctx, op, http.MethodGet, prompt, "", "read-"+rand.Text(), nil)
	if err != nil {
		return s, err
	}
	if a.Status != http.StatusOK {
		return s, c.refused(op, a)
	}
	if err := json.Unmarshal(a.Body, &s); err != nil || s.Current == "" {
		return s, &registry.Error{Op: op, Kind: registry.Wrong, Reason: "the answer names no current version"}
	}
	return s, nil
}

// Current returns what is current now. Failures are a *registry.Error.
func (c *Client) Current(ctx context.Context, prompt string) (registry.Version, error) {
	s, err := c.read(ctx, fmt.Sprintf("read current version of %q", prompt), prompt)
	return registry.Version{ID: s.Current}, err
}

// List returns the versions, newest first; none where the registry does not tell. Failures are a *registry.Error.
func (c *Client) List(ctx context.Context, prompt string) ([]registry.Version, error) {
	s, err := c.read(ctx, fmt.Sprintf("list versions of %q", prompt), prompt)
	var all []registry.Version
	for _, v := range s.Versions {
		all = append(all, registry.Version{ID: v.Version, CreatedAt: v.CreatedAt})
	}
	return all, err
}

// Traits tell what this kind of registry can.
func (*Client) Traits() registry.Traits { return registry.Traits{} }

// Move asks for m. Failures are a *registry.ConflictError when m.Seen was not current, and a *registry.Error otherwise.
func (c *Client) Move(ctx context.Context, m registry.Move) error {
	op := fmt.Sprintf("promote %q of %q", m.To.ID, m.Prompt)
	body, err := json.Marshal(map[string]string{"version": m.To.ID, "expect": m.Seen.ID, "alert": m.Alert, "reason": m.Reason})
	if err != nil {
		return &registry.Error{Op: op, Kind: registry.Wrong, Reason: "request cannot be encoded", Wrapped: err}
	}
	a, err := c.call(ctx, op, http.MethodPost, m.Prompt, "/promote", m.Key, body)
	if err != nil {
		return err
	}
	var answer struct {
		Current string `json:"current"`
	}
	err = json.Unmarshal(a.Body, &answer)
	switch {
	case a.Status == http.StatusConflict && err == nil && answer.Current != "":
		return &registry.ConflictError{Current: registry.Version{ID: answer.Current}}
	case a.Status != http.StatusOK:
		return c.refused(op, a)
	case err != nil || answer.Current == "":
		// It says that it did something. Reading back will show.
		return &registry.Error{Op: op, Reason: "the answer names no current version"}
	}
	return nil
}

func (c *Client) call(ctx context.Context, op, method, prompt, verb, id string, body []byte) (outbound.Answer, error) {
	if prompt == "" || prompt == "." || prompt == ".." {
		// As part of a path these would name something else.
		return outbound.Answer{}, &registry.Error{Op: op, Kind: registry.Wrong, Reason: "no registry can have a prompt of this name"}
	}
	path, query, ok := strings.Cut(c.cfg.URL, "?")
	address := strings.TrimSuffix(path, "/") + "/prompts/" + url.PathEscape(prompt) + verb
	if ok {
		address += "?" + query
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return outbound.Answer{}, &registry.Error{Op: op, Kind: registry.Wrong, Reason: "url is not an address"} // the cause would show it
	}
	r.Header.Set("Accept", "application/json")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", id)
	}
	c.cfg.Key.Sign(r.Header, id, c.cfg.Now(), body)
	a, err := outbound.Do(c.client, r)
	if err != nil {
		return outbound.Answer{}, &registry.Error{Op: op, Reason: "no answer", Wrapped: errors.New(c.hide(err.Error(), r))}
	}
	a.Body = []byte(c.hide(string(a.Body), r))
	return a, nil
}

func (c *Client) hide(s string, r *http.Request) string {
	return outbound.Redact(s, c.cfg.URL, r.URL.User.String(), r.URL.RawQuery, r.Header.Get(signature.HeaderSignature))
}

func (c *Client) refused(op string, a outbound.Answer) error {
	e := &registry.Error{Op: op, Kind: registry.Wrong, Reason: fmt.Sprintf("the registry answered %d", a.Status)}
	switch {
	case outbound.Transient(a.Status):
		e.Kind, e.After = registry.Unavailable, outbound.RetryAfter(a.Header, c.cfg.Now())
	case a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden:
		e.Kind = registry.Denied
	case a.Status == http.StatusNotFound:
		e.Kind = registry.NoPrompt
	}
	if text := outbound.Excerpt(a.Body); text != "" {
		e.Wrapped = errors.New(text)
	}
	return e
}
