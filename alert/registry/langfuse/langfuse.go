// Package langfuse is the client of Langfuse's prompt management, by its public API (v2 of prompts). A version is a number, the
// label is one of its labels, and a write adds: PATCH with newLabels takes the label off every other version, and what other
// labels the target has stays. The client calls once; trying again is the caller's part.
//
// All reads are of the list of prompts. Filtered by the label it has the versions that hold it, straight from the database,
// where a prompt by its label comes from a cache unless told otherwise and is one version whatever there is. Langfuse locks no
// more than the target of a move, so two moves at once can leave the label on both; that is noticed here and nowhere else.
// Labels that are protected in the web app are not so for API keys: driftd's guards are its own.
package langfuse

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/internal/outbound"
)

// Config is what the client needs.
type Config struct {
	URL       string // base, without /api
	Label     string // that makes a version the current one
	PublicKey string // pk-lf-…; the project comes with it
	SecretKey string // sk-lf-…
	Grace     time.Duration
	Transport http.RoundTripper // nil for one of its own
	Now       func() time.Time
}

const (
	prompts = "/api/public/v2/prompts"
	page    = 100 // rows; the most that the API gives
	pages   = 20

	// switchTag on a prompt turns its rollbacks off. Tags are of the prompt, not of a version.
	switchTag = "driftd:off"
)

// Client talks to one project; for concurrent use.
type Client struct {
	cfg  Config
	peer *registry.Peer
}

// New returns a client; it makes no call.
func New(cfg Config) *Client {
	return &Client{cfg, registry.NewPeer(registry.PeerConfig{
		URL: cfg.URL, Username: cfg.PublicKey, Password: cfg.SecretKey, Transport: cfg.Transport, Now: cfg.Now,
	})}
}

// Traits tell what this kind of registry can.
func (c *Client) Traits() registry.Traits { return registry.Traits{Grace: c.cfg.Grace, Switch: true} }

// known is what the list tells of one prompt, or of those of its versions that have a label.
type known struct {
	versions []int // the highest first
	tags     []string
}

// look asks the list for a prompt; with a label, for the versions that have it.
func (c *Client) look(ctx context.Context, op, prompt, label string) (k known, err error) {
	if prompt == "" { // would not be a filter
		return k, registry.Unnameable(op)
	}
	query := url.Values{"name": {prompt}, "limit": {strconv.Itoa(page)}}
	if label != "" {
		query.Set("label", label)
	}
	for n := 1; n <= pages; n++ {
		query.Set("page", strconv.Itoa(n))
		a, err := c.peer.Call(ctx, registry.Request{Op: op, Method: http.MethodGet, Path: prompts, Query: query})
		if err != nil {
			return k, err
		}
		if !a.OK() {
			return k, c.refused(a)
		}
		var out struct {
			Data []struct {
				Name     string   `json:"name"`
				Versions []int    `json:"versions"`
				Tags     []string `json:"tags"`
			} `json:"data"`
			Meta struct {
				TotalPages int `json:"totalPages"`
			} `json:"meta"`
		}
		if err := a.JSON(&out); err != nil {
			return k, err
		}
		if out.Data == nil {
			return k, &registry.Error{Op: op, Kind: registry.Wrong, Reason: "the answer is no list of prompts"}
		}
		for _, row := range out.Data { // one, or one for each set of tags that its versions have
			if row.Name == prompt {
				k.versions = append(k.versions, row.Versions...)
				k.tags = append(k.tags, row.Tags...)
			}
		}
		if n >= out.Meta.TotalPages {
			break
		}
	}
	slices.SortFunc(k.versions, func(a, b int) int { return cmp.Compare(b, a) })
	k.versions = slices.Compact(k.versions)
	return k, nil
}

func version(n int) registry.Version {
	id := strconv.Itoa(n)
	return registry.Version{ID: id, Names: []string{id, "v" + id}}
}

// Current returns the version that has the label. Failures are a *registry.Error; that two versions have it is one of the kind
// Wrong.
func (c *Client) Current(ctx context.Context, prompt string) (registry.Version, error) {
	op := fmt.Sprintf("read current version of %q", prompt)
	k, err := c.look(ctx, op, prompt, c.cfg.Label)
	if err != nil {
		return registry.Version{}, err
	}
	switch len(k.versions) {
	case 0:
		return registry.Version{}, c.unlabelled(ctx, op, prompt)
	case 1:
		return version(k.versions[0]), nil
	}
	return registry.Version{}, &registry.Error{
		Op: op, Kind: registry.Wrong, Reason: fmt.Sprintf("versions %d and %d both have the label %s", k.versions[1], k.versions[0], c.cfg.Label),
		Hint: "two moves met: set the label once more, on the version that shall have it",
	}
}

// unlabelled finds out what it means that no version has the label: an unknown prompt has none either.
func (c *Client) unlabelled(ctx context.Context, op, prompt string) error {
	if _, err := c.all(ctx, op, prompt); err != nil {
		return err
	}
	return &registry.Error{
		Op: op, Kind: registry.NoLabel, Reason: "no version has the label " + c.cfg.Label,
		Hint: "set it on the version that is live; deleting a version deletes its labels",
	}
}

// all returns all of a prompt.
func (c *Client) all(ctx context.Context, op, prompt string) (known, error) {
	k, err := c.look(ctx, op, prompt, "")
	if err == nil && len(k.versions) == 0 {
		err = &registry.Error{Op: op, Kind: registry.NoPrompt, Reason: "the project has no such prompt", Hint: "the project is the one that the keys are of"}
	}
	return k, err
}

// List returns the versions, newest first, registry.MaxVersions at most. Failures are a *registry.Error.
func (c *Client) List(ctx context.Context, prompt string) ([]registry.Version, error) {
	k, err := c.all(ctx, fmt.Sprintf("list versions of %q", prompt), prompt)
	var all []registry.Version
	for _, n := range k.versions[:min(len(k.versions), registry.MaxVersions)] {
		all = append(all, version(n))
	}
	return all, err
}

// Move points the label at another version. Langfuse cannot compare: the label is read just before, and just after for a second
// holder, which is a person who moved it at the same moment. The person wins: the label is set on that version again, which takes
// it off ours. Failures are a *registry.ConflictError when someone was first, and a *registry.Error otherwise.
func (c *Client) Move(ctx context.Context, m registry.Move) error {
	op := fmt.Sprintf("promote %q of %q", m.To.ID, m.Prompt)
	to, err := strconv.Atoi(m.To.ID)
	if err != nil || to < 1 || strconv.Itoa(to) != m.To.ID {
		return &registry.Error{Op: op, Kind: registry.NoVersion, Reason: "versions of Langfuse are numbers"}
	}
	current, err := c.Current(ctx, m.Prompt)
	if err != nil {
		return err
	}
	if done, err := m.Compare(current); done || err != nil {
		return err
	}
	if err := c.set(ctx, op, m.Prompt, to); err != nil {
		return err
	}
	k, err := c.look(ctx, op, m.Prompt, c.cfg.Label)
	if err != nil {
		return unknown(err)
	}
	i := slices.IndexFunc(k.versions, func(n int) bool { return n != to && strconv.Itoa(n) != m.Seen.ID })
	if len(k.versions) < 2 || i < 0 {
		return nil // what it is now is read by the caller
	}
	if err := c.set(ctx, op, m.Prompt, k.versions[i]); err != nil {
		return unknown(err)
	}
	return &registry.ConflictError{Current: version(k.versions[i])}
}

// unknown is what an error means after the label was moved: that has been done, and will be found by reading.
func unknown(err error) error {
	e, ok := errors.AsType[*registry.Error](err)
	if !ok {
		return err
	}
	after := *e
	after.Kind = registry.Unavailable
	return &after
}

func (c *Client) set(ctx context.Context, op, prompt string, n int) error {
	name, ok := registry.Segment(prompt)
	if !ok {
		return registry.Unnameable(op)
	}
	a, err := c.peer.Call(ctx, registry.Request{
		Op: op, Method: http.MethodPatch, Path: fmt.Sprintf("%s/%s/versions/%d", prompts, name, n),
		Body: map[string][]string{"newLabels": {c.cfg.Label}},
	})
	switch {
	case err != nil:
		return err
	case a.Status == http.StatusNotFound && a.JSON(&struct{}{}) == nil: // otherwise it is no Langfuse that answers
		e := c.refused(a)
		e.Kind = registry.NoVersion
		return e
	case !a.OK():
		return c.refused(a)
	}
	var out struct {
		Version int `json:"version"`
	}
	if err := a.JSON(&out); err != nil {
		return unknown(err)
	}
	if out.Version != n {
		return unknown(&registry.Error{Op: op, Reason: "the answer is not the version that was asked for"})
	}
	return nil
}

// Switched says whether the prompt carries the tag driftd:off. Failures are a *registry.Error.
func (c *Client) Switched(ctx context.Context, prompt string) (off bool, err error) {
	k, err := c.all(ctx, fmt.Sprintf("read tags of %q", prompt), prompt)
	return slices.Contains(k.tags, switchTag), err
}

// refused is what an answer means that is not 2xx.
func (c *Client) refused(a registry.Answer) *registry.Error {
	e := a.Refused()
	switch a.Status {
	case http.StatusUnauthorized:
		e.Hint = "registry.username is the public key (pk-lf-…), registry.password the secret key (sk-lf-…), of this host"
	case http.StatusTooManyRequests:
		if e.After == 0 {
			e.After = wait(a, c.cfg.Now())
		}
	}
	return e
}

// dates are how X-RateLimit-Reset may be written: as JavaScript prints a date, for people or for machines.
var dates = []string{"Mon Jan 02 2006 15:04:05 GMT-0700", time.RFC3339}

// longest bounds what a server may ask for.
const longest = time.Hour

// wait is how long to keep off after an answer of too many calls that has no Retry-After: what its body says, or the date on which
// the count begins anew; 0 where it says neither.
func wait(a registry.Answer, now time.Time) time.Duration {
	var body struct {
		Details struct {
			Seconds float64 `json:"retryAfterSeconds"`
		} `json:"details"`
	}
	if json.Unmarshal(a.Body, &body) == nil && body.Details.Seconds > 0 {
		return time.Duration(min(body.Details.Seconds, longest.Seconds()) * float64(time.Second))
	}
	text, _, _ := strings.Cut(a.Header.Get("X-RateLimit-Reset"), " (")
	for _, layout := range dates {
		if at, err := time.Parse(layout, text); err == nil {
			return min(max(at.Sub(now), 0), longest)
		}
	}
	h := http.Header{"Retry-After": {text}}
	return outbound.RetryAfter(h, now) // an HTTP date
}
