// Package phoenix is the client of Arize Phoenix's prompts, by its REST interface. The label is a tag that a version of a prompt
// carries; a version has an opaque id, and the number that people see is its place in the list. The client calls once; trying
// again is the caller's part.
package phoenix

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/driftd/driftd/alert/registry"
)

// Config is what the client needs.
type Config struct {
	URL       string        // base, without /v1
	Tag       string        // that makes a version the current one
	Token     string        // API key; may be empty
	Grace     time.Duration // see registry.Traits
	Transport http.RoundTripper
	Now       func() time.Time
}

const (
	// switchTag, on any version of a prompt, keeps driftd from moving its tag.
	switchTag = "driftd-rollback-off"
	maxNote   = 500 // bytes of a tag's description
)

// identifier is what Phoenix lets prompts and tags be called. Other names are not asked for: in place of a name it takes an id as
// well, and so a hostile one would mean another prompt.
var identifier = regexp.MustCompile(`^[a-z0-9]([_a-z0-9-]*[a-z0-9])?$`)

// Client talks to one server; for concurrent use.
type Client struct {
	cfg  Config
	peer *registry.Peer
}

// New returns a client; it makes no call.
func New(cfg Config) *Client {
	return &Client{cfg, registry.NewPeer(registry.PeerConfig{URL: cfg.URL, Token: cfg.Token, Transport: cfg.Transport, Now: cfg.Now})}
}

// Traits tell what this kind of registry can.
func (c *Client) Traits() registry.Traits { return registry.Traits{Grace: c.cfg.Grace, Switch: true} }

// Current returns the version with the tag. Failures are a *registry.Error.
func (c *Client) Current(ctx context.Context, prompt string) (registry.Version, error) {
	op := fmt.Sprintf("read current version of %q", prompt)
	id, err := c.tagged(ctx, op, prompt, c.cfg.Tag)
	if err != nil {
		return registry.Version{}, err
	}
	// The list tells the number of a version, and, where nothing has the tag, whether there is such a prompt.
	all, err := c.list(ctx, op, prompt)
	if err != nil {
		return registry.Version{}, err
	}
	if id == "" {
		return registry.Version{}, &registry.Error{Op: op, Kind: registry.NoLabel, Reason: "no version has the tag " + c.cfg.Tag, Hint: "set it on the version that is live"}
	}
	if i := slices.IndexFunc(all, func(v registry.Version) bool { return v.ID == id }); i >= 0 {
		return all[i], nil
	}
	return registry.Version{ID: id}, nil
}

// tagged returns the id of the version with a tag, empty for none; an unknown prompt has none.
func (c *Client) tagged(ctx context.Context, op, prompt, tag string) (id string, err error) {
	if !identifier.MatchString(prompt) {
		return "", registry.Unnameable(op)
	}
	a, err := c.peer.Call(ctx, registry.Request{Op: op, Method: http.MethodGet, Path: "/v1/prompts/" + prompt + "/tags/" + url.PathEscape(tag)})
	if err != nil || isNotFound(a) {
		return "", err
	}
	var out struct {
		Data struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := decode(a, &out); err != nil {
		return "", err
	}
	if out.Data.ID == "" {
		return "", &registry.Error{Op: op, Kind: registry.Wrong, Reason: "the answer names no version"}
	}
	return out.Data.ID, nil
}

// List returns the versions, newest first, registry.MaxVersions at most. Failures are a *registry.Error.
func (c *Client) List(ctx context.Context, prompt string) ([]registry.Version, error) {
	return c.list(ctx, fmt.Sprintf("list versions of %q", prompt), prompt)
}

func (c *Client) list(ctx context.Context, op, prompt string) ([]registry.Version, error) {
	if !identifier.MatchString(prompt) {
		return nil, registry.Unnameable(op)
	}
	ctx, cancel := context.WithTimeout(ctx, registry.ListWithin)
	defer cancel()
	query := url.Values{"limit": {strconv.Itoa(registry.Page)}}
	var all []registry.Version
	whole := false
	for range registry.MaxVersions / registry.Page {
		var out struct {
			Data []struct {
				ID string `json:"id"`
			} `json:"data"`
			Next string `json:"next_cursor"`
		}
		a, err := c.peer.Call(ctx, registry.Request{Op: op, Method: http.MethodGet, Path: "/v1/prompts/" + prompt + "/versions", Query: query})
		if err != nil {
			return nil, err
		}
		if err := decode(a, &out); err != nil {
			return nil, err
		}
		for _, v := range out.Data {
			all = append(all, registry.Version{ID: v.ID})
		}
		if whole = out.Next == ""; whole {
			break
		}
		query.Set("cursor", out.Next)
	}
	if len(all) == 0 { // every prompt has a version
		return nil, &registry.Error{Op: op, Kind: registry.NoPrompt, Reason: "the registry has no such prompt"}
	}
	if whole { // the oldest is 1; the answer does not tell numbers
		for i := range all {
			n := strconv.Itoa(len(all) - i)
			all[i].Names = []string{n, "v" + n}
		}
	}
	return all, nil
}

// Move gives the tag to another version, which takes it from the one that has it, in one call, and writes the reason on it. Phoenix
// cannot compare: the tag is read just before. Failures are a *registry.ConflictError when m.Seen had it not, and a *registry.Error
// otherwise.
func (c *Client) Move(ctx context.Context, m registry.Move) error {
	op := fmt.Sprintf("promote %q of %q", m.To.String(), m.Prompt)
	current, err := c.Current(ctx, m.Prompt)
	if err != nil {
		return err
	}
	if done, err := m.Compare(current); done || err != nil {
		return err
	}
	// Ids are of all prompts: one that is not in this one's list would take another prompt's tag.
	all, err := c.list(ctx, op, m.Prompt)
	if err != nil {
		return err
	}
	id, ok := registry.Segment(m.To.ID)
	if !ok || !slices.ContainsFunc(all, func(v registry.Version) bool { return v.ID == m.To.ID }) {
		return &registry.Error{Op: op, Kind: registry.NoVersion, Reason: "the prompt has no such version"}
	}
	note := m.Reason
	if m.Link != "" {
		note = strings.TrimSpace(registry.Cut(note, maxNote/2) + " " + m.Link)
	}
	a, err := c.peer.Call(ctx, registry.Request{
		Op: op, Method: http.MethodPost, Path: "/v1/prompt_versions/" + id + "/tags",
		Body: map[string]string{"name": c.cfg.Tag, "description": registry.Cut(note, maxNote)},
	})
	switch {
	case err != nil:
		return err
	case isNotFound(a):
		return &registry.Error{Op: op, Kind: registry.NoVersion, Reason: "the registry has no such version"}
	case a.Status == http.StatusNoContent:
		return nil
	case a.OK():
		return a.JSON(&struct{}{}) // a page, which Phoenix answers on paths that it does not know
	}
	return refused(a)
}

// Switched says whether a version of the prompt has the tag driftd-rollback-off. Failures are a *registry.Error.
func (c *Client) Switched(ctx context.Context, prompt string) (off bool, err error) {
	id, err := c.tagged(ctx, fmt.Sprintf("read tags of %q", prompt), prompt, switchTag)
	return id != "", err
}

func decode(a registry.Answer, out any) error {
	if !a.OK() {
		return refused(a)
	}
	return a.JSON(out)
}

// isNotFound tells that a prompt, tag or version is not there from a path that is not: on those Phoenix answers 200 with a page, and
// a proxy whatever it likes.
func isNotFound(a registry.Answer) bool {
	return a.Status == http.StatusNotFound && !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html")
}

func refused(a registry.Answer) *registry.Error {
	e := a.Refused()
	switch a.Status {
	case http.StatusUnauthorized:
		e.Hint = "registry.token is missing, wrong or expired: make a key under Settings, API Keys"
	case http.StatusForbidden:
		e.Hint = "the key's user needs the role MEMBER: viewers cannot set tags"
	}
	return e
}
