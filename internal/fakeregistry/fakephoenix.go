package fakeregistry

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// PhoenixConfig is what a Phoenix needs.
type PhoenixConfig struct {
	Roles map[string]string // VIEWER or MEMBER by API key; nil lets everybody do everything
}

// Phoenix answers as Arize Phoenix 20.26.1 does to what has to do with prompts, its traps included: ids are of all prompts, a prompt
// is found by its id as well as by its name, an unknown one has an empty list, and what it does not know is a page with status 200.
// An http.Handler for concurrent use.
type Phoenix struct {
	cfg PhoenixConfig
	mux *http.ServeMux

	mu struct {
		sync.Mutex
		prompts []*phoenixPrompt // in order of their ids, from 1
		last    int              // id of a version
	}
}

type phoenixPrompt struct {
	name     string
	versions []int // oldest first
	tags     map[string]*phoenixTag
}

type phoenixTag struct {
	version     int
	description string
}

// NewPhoenix returns one without prompts.
func NewPhoenix(cfg PhoenixConfig) *Phoenix {
	p := &Phoenix{cfg: cfg, mux: http.NewServeMux()}
	p.mux.HandleFunc("POST /v1/prompts", p.create)
	p.mux.HandleFunc("GET /v1/prompts/{prompt}/versions", p.versions)
	p.mux.HandleFunc("GET /v1/prompts/{prompt}/tags/{tag}", p.tagged)
	p.mux.HandleFunc("GET /v1/prompt_versions/{id}/tags", p.tags)
	p.mux.HandleFunc("POST /v1/prompt_versions/{id}/tags", p.setTag)
	p.mux.HandleFunc("DELETE /v1/prompt_versions/{id}/tags/{tag}", p.deleteTag)
	return p
}

var phoenixName = regexp.MustCompile(`^[a-z0-9]([_a-z0-9-]*[a-z0-9])?$`)

func phoenixID(kind string, n int) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:%d", kind, n))
}

// phoenixRow reads an id of that kind.
func phoenixRow(kind, id string) (int, bool) {
	raw, err := base64.StdEncoding.DecodeString(id)
	if err != nil {
		return 0, false
	}
	text, ok := strings.CutPrefix(string(raw), kind+":")
	n, err := strconv.Atoi(text)
	return n, ok && err == nil
}

// ServeHTTP implements http.Handler.
func (p *Phoenix) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := p.mux.Handler(r); pattern == "" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!DOCTYPE html><title>Phoenix</title>"))
		return
	}
	if p.cfg.Roles != nil {
		key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch role := p.cfg.Roles[key]; {
		case role == "":
			w.Header().Set("WWW-Authenticate", `Bearer realm="Arize Phoenix"`)
			phoenixText(w, 401, "Invalid token")
			return
		case role == "VIEWER" && r.Method != http.MethodGet:
			phoenixText(w, 403, "Viewers cannot perform this action.")
			return
		}
	}
	if r.Method == http.MethodPost && r.Header.Get("Content-Type") != "application/json" {
		phoenixJSON(w, 422, map[string]any{"detail": "not JSON"})
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mux.ServeHTTP(w, r)
}

func phoenixText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

func phoenixJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func phoenixMismatch(w http.ResponseWriter, field string) {
	phoenixJSON(w, 422, map[string]any{"detail": []any{map[string]any{"type": "string_pattern_mismatch", "loc": []string{"body", field}}}})
}

// prompt finds one by its name or id; nil for none.
func (p *Phoenix) prompt(r *http.Request) *phoenixPrompt {
	name := r.PathValue("prompt")
	if n, ok := phoenixRow("Prompt", name); ok && n >= 1 && n <= len(p.mu.prompts) {
		return p.mu.prompts[n-1]
	}
	i := slices.IndexFunc(p.mu.prompts, func(q *phoenixPrompt) bool { return q.name == name })
	if i < 0 {
		return nil
	}
	return p.mu.prompts[i]
}

// version finds the prompt of a version, or answers that there is none.
func (p *Phoenix) version(w http.ResponseWriter, r *http.Request) (*phoenixPrompt, int) {
	n, ok := phoenixRow("PromptVersion", r.PathValue("id"))
	if !ok {
		phoenixText(w, 422, "Invalid prompt version ID")
		return nil, 0
	}
	for _, q := range p.mu.prompts {
		if slices.Contains(q.versions, n) {
			return q, n
		}
	}
	phoenixText(w, 404, "Not Found")
	return nil, 0
}

func phoenixShow(n int) map[string]any {
	return map[string]any{
		"id": phoenixID("PromptVersion", n), "description": "", "model_provider": "OPENAI", "model_name": "gpt-4o", "template_type": "CHAT", "template_format": "MUSTACHE",
		"template": map[string]any{"type": "chat", "messages": []any{}}, "invocation_parameters": map[string]any{"type": "openai", "openai": map[string]any{}},
	}
}

func (p *Phoenix) create(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Prompt  struct{ Name string }
		Version struct {
			Type string `json:"template_type"`
		}
	}
	switch err := json.NewDecoder(r.Body).Decode(&q); {
	case err != nil || !phoenixName.MatchString(q.Prompt.Name):
		phoenixMismatch(w, "prompt")
		return
	case q.Version.Type != "CHAT":
		phoenixText(w, 422, "Only CHAT template type is supported for prompts")
		return
	}
	p.mu.last++
	i := slices.IndexFunc(p.mu.prompts, func(o *phoenixPrompt) bool { return o.name == q.Prompt.Name })
	if i < 0 {
		i = len(p.mu.prompts)
		p.mu.prompts = append(p.mu.prompts, &phoenixPrompt{name: q.Prompt.Name, tags: map[string]*phoenixTag{}})
	}
	p.mu.prompts[i].versions = append(p.mu.prompts[i].versions, p.mu.last)
	phoenixJSON(w, 200, map[string]any{"data": phoenixShow(p.mu.last)})
}

func (p *Phoenix) versions(w http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 1 {
		limit = 100
	}
	from := -1
	if c := r.URL.Query().Get("cursor"); c != "" {
		var ok bool
		if from, ok = phoenixRow("PromptVersion", c); !ok {
			phoenixText(w, 422, "Invalid cursor format: "+c)
			return
		}
	}
	data, next := []any{}, any(nil)
	if q := p.prompt(r); q != nil {
		for _, n := range slices.Backward(q.versions) {
			if from >= 0 && n > from {
				continue
			}
			if len(data) == limit {
				next = phoenixID("PromptVersion", n)
				break
			}
			data = append(data, phoenixShow(n))
		}
	}
	phoenixJSON(w, 200, map[string]any{"data": data, "next_cursor": next})
}

func (p *Phoenix) tagged(w http.ResponseWriter, r *http.Request) {
	if !phoenixName.MatchString(r.PathValue("tag")) {
		phoenixText(w, 422, "Invalid tag name")
		return
	}
	q := p.prompt(r)
	if q == nil || q.tags[r.PathValue("tag")] == nil {
		phoenixText(w, 404, "Not Found")
		return
	}
	phoenixJSON(w, 200, map[string]any{"data": phoenixShow(q.tags[r.PathValue("tag")].version)})
}

func (p *Phoenix) tags(w http.ResponseWriter, r *http.Request) {
	q, n := p.version(w, r)
	if q == nil {
		return
	}
	data := []any{}
	for name, tag := range q.tags {
		if tag.version == n {
			data = append(data, map[string]any{"name": name, "description": tag.description, "id": phoenixID("PromptVersionTag", n)})
		}
	}
	phoenixJSON(w, 200, map[string]any{"data": data, "next_cursor": nil})
}

func (p *Phoenix) setTag(w http.ResponseWriter, r *http.Request) {
	q, n := p.version(w, r)
	if q == nil {
		return
	}
	var tag struct{ Name, Description string }
	if err := json.NewDecoder(r.Body).Decode(&tag); err != nil || !phoenixName.MatchString(tag.Name) {
		phoenixMismatch(w, "name")
		return
	}
	q.tags[tag.Name] = &phoenixTag{n, tag.Description}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(204)
}

// deleteTag takes the tag from the prompt, whichever of its versions has it.
func (p *Phoenix) deleteTag(w http.ResponseWriter, r *http.Request) {
	q, _ := p.version(w, r)
	switch {
	case q == nil:
	case q.tags[r.PathValue("tag")] == nil:
		phoenixText(w, 404, "Not Found")
	default:
		delete(q.tags, r.PathValue("tag"))
		w.WriteHeader(204)
	}
}
