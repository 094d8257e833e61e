// Package langfuse is a fake of Langfuse's prompts for tests: the part of its public API that a client of labels needs, built from
// the API's definition and from how its server does it, not from a running one. A move is not one step in it, as it is not in
// Langfuse: what it takes the label off is read first, and a test can let another move come in between.
package langfuse

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Server is the fake; an http.Handler for concurrent use.
type Server struct {
	public, secret string
	mux            *http.ServeMux

	mu struct {
		sync.Mutex
		prompts map[string]*prompt
		between func()
	}
}

type prompt struct {
	next     int
	versions map[int][]string // labels
	tags     []string
}

// New returns a project without prompts, with one pair of API keys.
func New(publicKey, secretKey string) *Server {
	s := &Server{public: publicKey, secret: secretKey, mux: http.NewServeMux()}
	s.mu.prompts = map[string]*prompt{}
	s.mux.HandleFunc("GET /api/public/v2/prompts", s.list)
	s.mux.HandleFunc("PATCH /api/public/v2/prompts/{name}/versions/{version}", s.patch)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { // the web app
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<!DOCTYPE html><html><title>404</title></html>")
	})
	return s
}

// Add makes a version of a prompt, as a person does, and returns its number. Every new one takes the label latest.
func (s *Server) Add(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mu.prompts[name]
	if p == nil {
		p = &prompt{versions: map[int][]string{}}
		s.mu.prompts[name] = p
	}
	p.next++
	p.take("latest", 0)
	p.versions[p.next] = []string{"latest"}
	return p.next
}

// Label moves a label to a version as a person does in the web app; 0 takes it away.
func (s *Server) Label(name, label string, version int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mu.prompts[name]
	p.take(label, version)
	if _, ok := p.versions[version]; ok && !slices.Contains(p.versions[version], label) {
		p.versions[version] = append(p.versions[version], label)
	}
}

// take takes a label off all versions but one.
func (p *prompt) take(label string, but int) {
	for n, labels := range p.versions {
		if n != but {
			p.versions[n] = slices.DeleteFunc(labels, func(l string) bool { return l == label })
		}
	}
}

// Labelled returns the versions that have a label, the lowest first.
func (s *Server) Labelled(name, label string) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.prompts[name].labelled(label)
}

func (p *prompt) labelled(label string) []int {
	var out []int
	if p == nil {
		return nil
	}
	for n, labels := range p.versions {
		if label == "" || slices.Contains(labels, label) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// Delete deletes a version with its labels.
func (s *Server) Delete(name string, version int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.prompts[name].versions, version)
}

// Tag puts a tag on a prompt.
func (s *Server) Tag(name, tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.prompts[name].tags = append(s.mu.prompts[name].tags, tag)
}

// Between calls f once, in the next move, when it has read who has the label and has not yet written.
func (s *Server) Between(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.between = f
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, word, basic := r.BasicAuth()
	switch {
	case basic && user == s.public && word == s.secret:
		s.mux.ServeHTTP(w, r)
	case strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "):
		answer(w, http.StatusForbidden, map[string]any{"message": "Access denied - need to use basic auth with secret key to access prompts", "error": "ForbiddenError"})
	case r.Method == http.MethodPatch:
		answer(w, http.StatusUnauthorized, map[string]any{"message": "Invalid credentials. Confirm that you've configured the correct host."})
	default:
		answer(w, http.StatusUnauthorized, map[string]any{"message": "Invalid credentials. Confirm that you've configured the correct host.", "error": "UnauthorizedError"})
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func number(text string, otherwise, most int) (int, bool) {
	if text == "" {
		return otherwise, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 1 && n <= most
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, ok1 := number(q.Get("limit"), 10, 100)
	page, ok2 := number(q.Get("page"), 1, 1<<30)
	if !ok1 || !ok2 {
		answer(w, http.StatusBadRequest, map[string]any{"message": "Invalid request data", "error": []any{}})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name, p := range s.mu.prompts {
		if (q.Get("name") == "" || q.Get("name") == name) && len(p.labelled(q.Get("label"))) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	total := len(names)
	data := []any{}
	for _, name := range names[min((page-1)*limit, total):min(page*limit, total)] {
		p := s.mu.prompts[name]
		versions := p.labelled(q.Get("label"))
		labels := []string{}
		for _, n := range versions {
			labels = append(labels, p.versions[n]...)
		}
		slices.Sort(labels)
		data = append(data, map[string]any{
			"name": name, "type": "text", "versions": versions, "labels": slices.Compact(labels), "tags": append([]string{}, p.tags...),
			"lastUpdatedAt": "2026-11-21T12:00:00.000Z", "lastConfig": map[string]any{},
		})
	}
	meta := map[string]int{"page": page, "limit": limit, "totalItems": total, "totalPages": (total + limit - 1) / limit}
	answer(w, http.StatusOK, map[string]any{"data": data, "meta": meta, "pagination": meta})
}

// labelForm is what a label may be.
var labelForm = regexp.MustCompile(`^[a-z0-9_\-.]{1,36}$`)

func (s *Server) patch(w http.ResponseWriter, r *http.Request) {
	var body struct {
		NewLabels []string `json:"newLabels"`
	}
	n, err := strconv.Atoi(r.PathValue("version"))
	if err == nil {
		err = json.NewDecoder(r.Body).Decode(&body)
	}
	if err != nil || body.NewLabels == nil || slices.ContainsFunc(body.NewLabels, func(l string) bool { return l == "latest" || !labelForm.MatchString(l) }) {
		answer(w, http.StatusBadRequest, map[string]any{"message": "Invalid request data", "error": []any{}})
		return
	}
	name := r.PathValue("name")
	holders, between, ok := s.begin(name, n, body.NewLabels)
	if !ok {
		answer(w, http.StatusNotFound, map[string]any{"message": fmt.Sprintf("Prompt '%s' version %d not found in project", name, n), "error": "LangfuseNotFoundError"})
		return
	}
	if between != nil {
		between()
	}
	answer(w, http.StatusOK, map[string]any{
		"id": "cm0", "projectId": "p0", "name": name, "version": n, "type": "text", "prompt": strings.Repeat("You are helpful. ", 8000), "config": map[string]any{},
		"labels": s.finish(name, n, body.NewLabels, holders), "tags": []string{}, "commitMessage": nil, "createdBy": "API",
		"createdAt": "2026-11-21T12:00:00.000Z", "updatedAt": "2026-11-21T12:00:00.000Z", "resolutionGraph": nil, "isActive": true,
	})
}

// begin is the first half of a move: what has the labels now.
func (s *Server) begin(name string, n int, labels []string) (holders []int, between func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mu.prompts[name]
	if p == nil {
		return nil, nil, false
	}
	if _, ok := p.versions[n]; !ok {
		return nil, nil, false
	}
	for _, l := range labels {
		holders = append(holders, p.labelled(l)...)
	}
	between, s.mu.between = s.mu.between, nil
	return holders, between, true
}

// finish takes the labels off those that had them, and adds them to n.
func (s *Server) finish(name string, n int, labels []string, holders []int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mu.prompts[name]
	for _, l := range labels {
		for _, h := range holders {
			if h != n {
				p.versions[h] = slices.DeleteFunc(p.versions[h], func(is string) bool { return is == l })
			}
		}
		if !slices.Contains(p.versions[n], l) {
			p.versions[n] = append(p.versions[n], l)
		}
	}
	return append([]string{}, p.versions[n]...)
}
