// Package webhook is the client of the generic registry protocol: two signed calls that any team can put in front of the
// place where it keeps its prompts. It calls once; trying again is the caller's part.
package webhook

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/internal/signature"
)

// Config is what the client needs.
type Config struct {
	URL       string // base, without /prompts; may hold secrets and is not shown in errors
	Key       signature.Key
	Grace     time.Duration     // see registry.Traits
	Transport http.RoundTripper // nil for one of its own
	Now       func() time.Time  // of the signature
}

// Client talks to one registry; for concurrent use.
type Client struct {
	cfg  Config
	peer *registry.Peer
}

// New returns a client; it makes no call.
func New(cfg Config) *Client {
	c := &Client{cfg: cfg}
	c.peer = registry.NewPeer(registry.PeerConfig{URL: cfg.URL, Sign: c.sign, AnyType: true, Transport: cfg.Transport, Now: cfg.Now})
	return c
}

func (c *Client) sign(r *http.Request, body []byte) {
	id := r.Header.Get("Idempotency-Key")
	if id == "" {
		id = "read-" + rand.Text()
	}
	c.cfg.Key.Sign(r.Header, id, c.cfg.Now(), body)
}

// Traits tell what this kind of registry can.
func (c *Client) Traits() registry.Traits { return registry.Traits{Grace: c.cfg.Grace} }

// state is the answer about a prompt.
type state struct {
	Current  string `json:"current"`
	Versions []struct {
		Version   string    `json:"version"`
		CreatedAt time.Time `json:"created_at"`
	} `json:"versions"`
}

func (c *Client) read(ctx context.Context, op, prompt string) (s state, err error) {
	name, ok := registry.Segment(prompt)
	if !ok {
		return s, registry.Unnameable(op)
	}
	a, err := c.peer.Call(ctx, registry.Request{Op: op, Method: http.MethodGet, Path: "/prompts/" + name})
	if err != nil {
		return s, err
	}
	if !a.OK() {
		return s, refused(a)
	}
	return s, a.JSON(&s)
}

// Current returns what is current now. Failures are a *registry.Error.
func (c *Client) Current(ctx context.Context, prompt string) (registry.Version, error) {
	op := fmt.Sprintf("read current version of %q", prompt)
	s, err := c.read(ctx, op, prompt)
	if err == nil && s.Current == "" {
		err = &registry.Error{Op: op, Kind: registry.NoLabel, Reason: "the answer names no current version"}
	}
	return registry.Version{ID: s.Current}, err
}

// List returns the versions, newest first; none where the registry does not tell. Failures are a *registry.Error.
func (c *Client) List(ctx context.Context, prompt string) ([]registry.Version, error) {
	s, err := c.read(ctx, fmt.Sprintf("list versions of %q", prompt), prompt)
	if err != nil {
		return nil, err
	}
	var all []registry.Version
	for _, v := range s.Versions {
		if v.Version != "" && len(all) < registry.MaxVersions {
			all = append(all, registry.Version{ID: v.Version, CreatedAt: v.CreatedAt})
		}
	}
	return all, nil
}

// Move asks for m. The registry compares: failures are a *registry.ConflictError when m.Seen was not current, and a
// *registry.Error otherwise.
func (c *Client) Move(ctx context.Context, m registry.Move) error {
	op := fmt.Sprintf("promote %q of %q", m.To.ID, m.Prompt)
	name, ok := registry.Segment(m.Prompt)
	if !ok {
		return registry.Unnameable(op)
	}
	a, err := c.peer.Call(ctx, registry.Request{
		Op: op, Method: http.MethodPost, Path: "/prompts/" + name + "/promote", Header: http.Header{"Idempotency-Key": {m.Key}},
		Body: map[string]string{"version": m.To.ID, "expect": m.Seen.ID, "alert": m.Alert, "reason": m.Reason},
	})
	if err != nil {
		return err
	}
	var answer struct {
		Current string `json:"current"`
	}
	problem := a.JSON(&answer)
	switch {
	case a.Status == http.StatusConflict && problem == nil && answer.Current != "":
		return &registry.ConflictError{Current: registry.Version{ID: answer.Current}}
	case !a.OK():
		return refused(a)
	case problem != nil:
		return problem
	case answer.Current == "": // it says that it did something: reading back will show
		return &registry.Error{Op: op, Kind: registry.Unavailable, Reason: "the answer names no current version"}
	}
	return nil
}

func refused(a registry.Answer) *registry.Error {
	e := a.Refused()
	if a.Status == http.StatusNotFound {
		e.Kind, e.Hint = registry.NoPrompt, "has the registry a prompt of this name, and is registry.url without /prompts?"
	}
	return e
}
