// Package mlflow is the client of MLflow's prompt registry, as of MLflow 3. A prompt is a registered model that carries the tag
// mlflow.prompt.is_prompt, its label is an alias, and a version is a number in text. The client calls once; trying again is the
// caller's part.
package mlflow

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
)

// Config is what the client needs.
type Config struct {
	URL                string        // base, without /api
	Alias              string        // that makes a version the current one
	Username, Password string        // of basic authentication; may be empty
	Token              string        // bearer token, for a server behind a proxy; may be empty
	Grace              time.Duration // see registry.Traits; MLflow's own clients keep an alias for a minute unless told otherwise
	Transport          http.RoundTripper
	Now                func() time.Time
}

const (
	api       = "/api/2.0/mlflow"
	isPrompt  = "mlflow.prompt.is_prompt"
	switchTag = "driftd.rollback"       // on a prompt: off
	atTag     = "driftd.rolled_back_at" // on a version that was left
	whyTag    = "driftd.rolled_back_why"
	maxTag    = 1000 // bytes of one that we set
)

// Client talks to one server; for concurrent use.
type Client struct {
	cfg  Config
	peer *registry.Peer
}

// New returns a client; it makes no call.
func New(cfg Config) *Client {
	return &Client{cfg, registry.NewPeer(registry.PeerConfig{
		URL: cfg.URL, Username: cfg.Username, Password: cfg.Password, Token: cfg.Token, Transport: cfg.Transport, Now: cfg.Now,
	})}
}

// Traits tell what this kind of registry can.
func (c *Client) Traits() registry.Traits { return registry.Traits{Grace: c.cfg.Grace, Switch: true} }

type tag struct{ Key, Value string }

type modelVersion struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Created int64  `json:"creation_timestamp"` // Unix milliseconds
	Tags    []tag  `json:"tags"`
}

func (v *modelVersion) version() registry.Version {
	out := registry.Version{ID: v.Version, Names: []string{v.Version, "v" + v.Version}}
	if v.Created > 0 {
		out.CreatedAt = time.UnixMilli(v.Created).UTC()
	}
	return out
}

// prompts tells prompts from other registered models, whose aliases are not ours to move.
func prompts(tags []tag) bool {
	return slices.ContainsFunc(tags, func(t tag) bool { return t.Key == isPrompt && strings.EqualFold(t.Value, "true") })
}

// Current returns the version under the alias. Failures are a *registry.Error.
func (c *Client) Current(ctx context.Context, prompt string) (registry.Version, error) {
	op := fmt.Sprintf("read current version of %q", prompt)
	var out struct {
		Version modelVersion `json:"model_version"`
	}
	err := c.call(ctx, op, http.MethodGet, "/registered-models/alias", url.Values{"name": {prompt}, "alias": {c.cfg.Alias}}, nil, &out)
	switch {
	case err != nil:
		return registry.Version{}, err
	case out.Version.Version == "" || out.Version.Name != prompt:
		return registry.Version{}, &registry.Error{Op: op, Kind: registry.Wrong, Reason: "the answer names no version of this prompt"}
	case !prompts(out.Version.Tags):
		return registry.Version{}, noPrompt(op)
	}
	return out.Version.version(), nil
}

// List returns the versions, newest first, registry.MaxVersions at most. Failures are a *registry.Error.
func (c *Client) List(ctx context.Context, prompt string) ([]registry.Version, error) {
	op := fmt.Sprintf("list versions of %q", prompt)
	ctx, cancel := context.WithTimeout(ctx, registry.ListWithin)
	defer cancel()
	// Without the second clause the list is empty, as for a prompt that does not exist.
	query := url.Values{
		"filter":   {matches(prompt) + " AND tags.`" + isPrompt + "` = 'true'"},
		"order_by": {"version_number DESC"}, "max_results": {strconv.Itoa(registry.Page)},
	}
	var all []registry.Version
	for range registry.MaxVersions / registry.Page {
		var out struct {
			Versions []modelVersion `json:"model_versions"`
			Next     string         `json:"next_page_token"`
		}
		if err := c.call(ctx, op, http.MethodGet, "/model-versions/search", query, nil, &out); err != nil {
			return nil, err
		}
		for _, v := range out.Versions {
			if v.Name == prompt && v.Version != "" {
				all = append(all, v.version())
			}
		}
		if out.Next == "" {
			break
		}
		query.Set("page_token", out.Next)
	}
	if len(all) == 0 {
		return nil, c.empty(ctx, op, prompt)
	}
	slices.SortStableFunc(all, func(a, b registry.Version) int { return cmp.Compare(number(b), number(a)) })
	return all, nil
}

// number is a version's: as text, 9 would come after 15.
func number(v registry.Version) int {
	n, _ := strconv.Atoi(v.ID)
	return n
}

// matches is the filter for a name. The filter language has no escapes: a name goes into the quotes that it has not itself, and
// where it has both, a wildcard stands for one kind; what else that finds is passed over by its name.
func matches(name string) string {
	switch {
	case !strings.Contains(name, "'"):
		return "name = '" + name + "'"
	case !strings.Contains(name, `"`):
		return `name = "` + name + `"`
	}
	return "name LIKE '" + strings.ReplaceAll(name, "'", "_") + "'"
}

// empty finds out what a list without versions means: unknown prompts have one too.
func (c *Client) empty(ctx context.Context, op, prompt string) error {
	if _, err := c.tags(ctx, op, prompt); err != nil {
		return err
	}
	return &registry.Error{Op: op, Kind: registry.NoVersion, Reason: "the prompt has no versions"}
}

// tags returns those of a prompt.
func (c *Client) tags(ctx context.Context, op, prompt string) ([]tag, error) {
	var out struct {
		Model struct {
			Tags []tag `json:"tags"`
		} `json:"registered_model"`
	}
	if err := c.call(ctx, op, http.MethodGet, "/registered-models/get", url.Values{"name": {prompt}}, nil, &out); err != nil {
		return nil, err
	}
	if !prompts(out.Model.Tags) {
		return nil, noPrompt(op)
	}
	return out.Model.Tags, nil
}

func noPrompt(op string) error {
	return &registry.Error{Op: op, Kind: registry.NoPrompt, Reason: "it is a registered model, but not a prompt", Hint: "prompts carry the tag " + isPrompt}
}

// Move points the alias at another version, which takes it from the one that has it, in one call. MLflow cannot compare: the alias
// is read just before. Failures are a *registry.ConflictError when m.Seen was not current, and a *registry.Error otherwise.
func (c *Client) Move(ctx context.Context, m registry.Move) error {
	current, err := c.Current(ctx, m.Prompt)
	if err != nil {
		return err
	}
	if done, err := m.Compare(current); done || err != nil {
		return err
	}
	op := fmt.Sprintf("promote %q of %q", m.To.ID, m.Prompt)
	return c.call(ctx, op, http.MethodPost, "/registered-models/alias", nil, map[string]string{"name": m.Prompt, "alias": c.cfg.Alias, "version": m.To.ID}, nil)
}

// Switched says whether the prompt carries the tag driftd.rollback with the value off. Failures are a *registry.Error.
func (c *Client) Switched(ctx context.Context, prompt string) (off bool, err error) {
	tags, err := c.tags(ctx, fmt.Sprintf("read tags of %q", prompt), prompt)
	for _, t := range tags {
		off = off || t.Key == switchTag && strings.EqualFold(strings.TrimSpace(t.Value), "off")
	}
	return off, err
}

// Annotate writes note and the time on a version, as tags. Failures are a *registry.Error.
func (c *Client) Annotate(ctx context.Context, prompt string, v registry.Version, note string) error {
	op := fmt.Sprintf("annotate %q of %q", v.ID, prompt)
	for _, t := range []tag{{atTag, c.cfg.Now().UTC().Format(time.RFC3339)}, {whyTag, registry.Cut(note, maxTag)}} {
		body := map[string]string{"name": prompt, "version": v.ID, "key": t.Key, "value": t.Value}
		if err := c.call(ctx, op, http.MethodPost, "/model-versions/set-tag", nil, body, nil); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) call(ctx context.Context, op, method, path string, query url.Values, body, out any) error {
	a, err := c.peer.Call(ctx, registry.Request{Op: op, Method: method, Path: api + path, Query: query, Body: body})
	switch {
	case err != nil:
		return err
	case !a.OK():
		return c.refused(a)
	case out == nil:
		out = &struct{}{} // {} is the answer to what was written
	}
	return a.JSON(out)
}

// refused reads MLflow's error codes. Their messages tell an unknown alias from other invalid parameters, and what is not there.
func (c *Client) refused(a registry.Answer) *registry.Error {
	e := a.Refused()
	var body struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(a.Body, &body) != nil || body.Code == "" {
		return c.refusedByText(e, a)
	}
	e.Reason += " " + a.Quote(body.Code)
	e.Wrapped = errors.New(a.Quote(body.Message))
	if e.Kind != registry.Wrong { // its status says enough
		return e
	}
	switch said := body.Message; {
	case body.Code == "RESOURCE_DOES_NOT_EXIST" && strings.HasPrefix(said, "Model Version"):
		e.Kind = registry.NoVersion
	case body.Code == "RESOURCE_DOES_NOT_EXIST":
		e.Kind = registry.NoPrompt
	case strings.HasPrefix(said, "Invalid model name"), strings.Contains(said, "for parameter 'name'"), strings.HasPrefix(said, "Missing value for required parameter 'name'"):
		e.Kind = registry.NoPrompt
	case strings.HasPrefix(said, "Parameter 'version'"), strings.HasPrefix(said, "Missing value for required parameter 'version'"):
		e.Kind = registry.NoVersion
	case body.Code == "INVALID_PARAMETER_VALUE" && strings.HasPrefix(said, "Registered model alias") && strings.HasSuffix(said, "not found."):
		e.Kind, e.Reason, e.Wrapped = registry.NoLabel, "no version has the alias "+c.cfg.Alias, nil
		e.Hint = "set it on the version that is live; deleting a version deletes its aliases"
	}
	return e
}

// refusedByText reads what comes as text: of MLflow's security layer and log-in, or of a proxy.
func (c *Client) refusedByText(e *registry.Error, a registry.Answer) *registry.Error {
	switch text := string(a.Body); {
	case a.Status == http.StatusForbidden && strings.Contains(text, "Invalid Host header"):
		host := "HOST:PORT"
		if u, err := url.Parse(c.cfg.URL); err == nil {
			host = u.Host
		}
		e.Reason += ": MLflow does not know itself by this host name"
		e.Hint = "start MLflow with --allowed-hosts " + host + " (or MLFLOW_SERVER_ALLOWED_HOSTS), or write its IP address as registry.url"
	case a.Status == http.StatusForbidden:
		e.Hint = "the user needs EDIT on the prompt; for others than administrators an unknown prompt looks the same"
	case a.Status == http.StatusNotFound:
		e.Hint = "is registry.url the base address of MLflow, without /api?"
	}
	return e
}
