package registries

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/alert/registry/phoenix"
	"github.com/driftd/driftd/alert/rollback"
	"github.com/driftd/driftd/internal/fakeregistry"
)

// TestPhoenix runs the suite over a fake that answers as Phoenix 20.26.1 was seen to do.
func TestPhoenix(t *testing.T) {
	run(t, phoenixSubject("phoenix (fake)", func(*testing.T) world {
		w := &phoenixWorld{
			server: fake(fakeregistry.NewPhoenix(fakeregistry.PhoenixConfig{Roles: map[string]string{"daemon-key": "MEMBER", "reader-key": "VIEWER"}})),
			keys:   map[who]string{daemon: "daemon-key", reader: "reader-key", stranger: "wrong-key"},
		}
		w.sign = bearer("daemon-key")
		return w
	}))
}

// TestPhoenixServer runs it over Phoenix itself, with authentication: PHOENIX_URL and PHOENIX_ADMIN_SECRET.
func TestPhoenixServer(t *testing.T) {
	s := real(t, "PHOENIX_URL", "phoenix")
	if s == nil {
		t.Skip("PHOENIX_URL is not set: see make test-registries")
	}
	s.sign = bearer(os.Getenv("PHOENIX_ADMIN_SECRET"))
	t.Run("numbers", func(t *testing.T) { numbers(t, s) })
	run(t, phoenixSubject("phoenix (server)", func(t *testing.T) world {
		return &phoenixWorld{server: s, keys: map[who]string{daemon: phoenixKey(t, s, "MEMBER"), reader: phoenixKey(t, s, "VIEWER"), stranger: "wrong-key"}}
	}))
}

// numbers holds that the client calls versions by the numbers that people see on the page, which REST does not tell.
func numbers(t *testing.T, s *server) {
	b := &bench{&subject{}, &phoenixWorld{server: s, keys: map[who]string{daemon: os.Getenv("PHOENIX_ADMIN_SECRET")}}}
	c := b.client(t, daemon, nil)
	names := []string{b.prompt(t, 2, 0), b.prompt(t, 3, 0)}
	b.seed(t, names[0], 2) // ids are shared with the other's
	var out struct {
		Data struct {
			Prompts struct {
				Edges []struct {
					Node struct {
						Name           string
						PromptVersions struct {
							Edges []struct {
								Node struct {
									ID             string
									SequenceNumber int
								}
							}
						}
					}
				}
			}
		}
	}
	s.ask(t, "POST", "/graphql", nil, object{"query": "{prompts{edges{node{name promptVersions{edges{node{id sequenceNumber}}}}}}}"}, &out)
	seen := 0
	for _, p := range out.Data.Prompts.Edges {
		if !slices.Contains(names, p.Node.Name) {
			continue
		}
		for _, v := range p.Node.PromptVersions.Edges {
			seen++
			if got := b.version(t, c, p.Node.Name, v.Node.SequenceNumber); got.ID != v.Node.ID || !got.Is(strconv.Itoa(v.Node.SequenceNumber)) {
				t.Errorf("number %d of %s is %s, the client has %+v", v.Node.SequenceNumber, p.Node.Name, v.Node.ID, got)
			}
		}
	}
	if seen != 7 {
		t.Errorf("%d versions have numbers, want 7", seen)
	}
}

func bearer(key string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+key) }
}

// phoenixKey makes a user of that role and returns an API key of his.
func phoenixKey(t *testing.T, s *server, role string) string {
	t.Helper()
	name := strings.ToLower(role + "-" + rand.Text()[:6])
	login := object{"email": name + "@driftd.test", "password": "pass-word-1"}
	s.ask(t, "POST", "/v1/users", nil, object{"send_welcome_email": false, "user": object{
		"email": login["email"], "password": login["password"], "username": name, "role": role, "auth_method": "LOCAL",
	}}, nil)
	raw, err := json.Marshal(login)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(s.base+"/auth/login", "application/json", strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for _, c := range resp.Cookies() {
		if c.Name == "phoenix-access-token" {
			var out struct{ Data struct{ Key string } }
			mine := &server{base: s.base, transport: s.transport, sign: bearer(c.Value)}
			mine.ask(t, "POST", "/v1/user/api_keys", nil, object{"data": object{"name": name}}, &out)
			return cmp.Or(out.Data.Key, c.Value)
		}
	}
	t.Fatalf("%s cannot log in: %s", name, resp.Status)
	return ""
}

func phoenixSubject(name string, w func(t *testing.T) world) subject {
	tail := strings.ToLower(rand.Text()[:6])
	return subject{
		name: name, world: w,
		names:   []string{"a_b-c-" + tail, "1-" + tail, "v2-" + tail, "latest-" + tail, "tags-" + tail, "u" + strings.Repeat("x", 150) + tail},
		endless: `{"data":[{"id":"UHJvbXB0VmVyc2lvbjo3"}],"next_cursor":"UHJvbXB0VmVyc2lvbjo3"}`,
		not: map[string]string{
			"version deleted": "its interface deletes no versions",
		},
	}
}

type phoenixWorld struct {
	*server
	keys map[who]string
}

func (w *phoenixWorld) power() power { return w.off }

func (w *phoenixWorld) secrets(as who) []string { return []string{w.keys[as]} }

func (w *phoenixWorld) client(t *testing.T, as who, through middleware) rollback.Registry {
	return phoenix.New(phoenix.Config{URL: w.base, Tag: "production", Token: w.keys[as], Grace: time.Minute, Transport: w.between(through), Now: time.Now})
}

func (w *phoenixWorld) seed(t *testing.T, prompt string, n int) {
	t.Helper()
	for range n {
		w.ask(t, "POST", "/v1/prompts", nil, object{
			"prompt": object{"name": prompt, "description": "d"},
			"version": object{
				"description": "c", "model_provider": "OPENAI", "model_name": "gpt-4o", "template_type": "CHAT", "template_format": "MUSTACHE",
				"template":              object{"type": "chat", "messages": []object{{"role": "user", "content": "summarize {{text}}"}}},
				"invocation_parameters": object{"type": "openai", "openai": object{"temperature": 0}},
			},
		}, nil)
	}
}

// ids are those of a prompt's versions, oldest first.
func (w *phoenixWorld) ids(t *testing.T, prompt string) []string {
	t.Helper()
	var ids []string
	for cursor := ""; ; {
		var out struct {
			Data []struct{ ID string }
			Next string `json:"next_cursor"`
		}
		w.ask(t, "GET", "/v1/prompts/"+prompt+"/versions", url.Values{"limit": {"500"}, "cursor": {cursor}}, nil, &out)
		for _, v := range out.Data {
			ids = append([]string{v.ID}, ids...)
		}
		if cursor = out.Next; cursor == "" {
			return ids
		}
	}
}

func (w *phoenixWorld) label(t *testing.T, prompt, label string, n int) {
	t.Helper()
	label = cmp.Or(label, "production")
	if n == 0 {
		w.ask(t, "DELETE", "/v1/prompt_versions/"+w.ids(t, prompt)[0]+"/tags/"+label, nil, nil, nil)
		return
	}
	w.ask(t, "POST", "/v1/prompt_versions/"+w.ids(t, prompt)[n-1]+"/tags", nil, object{"name": label}, nil)
}

func (w *phoenixWorld) labelled(t *testing.T, prompt, label string) int {
	t.Helper()
	var out struct{ Data struct{ ID string } }
	if w.ask(t, "GET", "/v1/prompts/"+prompt+"/tags/"+cmp.Or(label, "production"), nil, nil, &out, http.StatusNotFound) == http.StatusNotFound {
		return 0
	}
	for i, id := range w.ids(t, prompt) {
		if id == out.Data.ID {
			return i + 1
		}
	}
	return -1
}

func (w *phoenixWorld) switchOff(t *testing.T, prompt string) {
	t.Helper()
	w.label(t, prompt, "driftd-rollback-off", 1)
}

func (w *phoenixWorld) noted(t *testing.T, prompt string, n int) string {
	t.Helper()
	var out struct {
		Data []struct{ Name, Description string }
	}
	w.ask(t, "GET", "/v1/prompt_versions/"+w.ids(t, prompt)[n-1]+"/tags", nil, nil, &out)
	for _, tag := range out.Data {
		if tag.Name == "production" {
			return tag.Description
		}
	}
	return ""
}
