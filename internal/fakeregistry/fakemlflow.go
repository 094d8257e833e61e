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
	"time"
)

// MLflowConfig is what an MLflow needs.
type MLflowConfig struct {
	// Rights are READ, EDIT or MANAGE by "user:password", as basic authentication has them; nil lets everybody do everything.
	Rights map[string]string
	Hosts  []string // that it knows itself by; nil for all
	Now    func() time.Time
}

// MLflow answers as MLflow 3.17.2 does to what has to do with prompts, its traps included: a model without the tag of prompts is
// none, an unknown alias is 400, an unknown prompt has an empty list, numbers are text. An http.Handler for concurrent use.
type MLflow struct {
	cfg MLflowConfig
	mux *http.ServeMux

	mu struct {
		sync.Mutex
		models map[string]*mlflowModel
	}
}

type mlflowModel struct {
	tags     mlflowTags
	versions []*mlflowVersion // oldest first
	aliases  map[string]int
	last     int // number; not given twice
}

type mlflowVersion struct {
	number  int
	created int64
	tags    mlflowTags
}

type mlflowTag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type mlflowTags []mlflowTag

func (l *mlflowTags) set(key, value string) {
	*l = append(slices.DeleteFunc(*l, func(t mlflowTag) bool { return t.Key == key }), mlflowTag{key, value})
}

func (l mlflowTags) has(key, value string) bool { return slices.Contains(l, mlflowTag{key, value}) }

// NewMLflow returns one without prompts.
func NewMLflow(cfg MLflowConfig) *MLflow {
	m := &MLflow{cfg: cfg, mux: http.NewServeMux()}
	m.mu.models = map[string]*mlflowModel{}
	const p = "/api/2.0/mlflow/"
	for pattern, f := range map[string]func(mlflowRequest) (any, *mlflowError){
		"POST " + p + "registered-models/create":  m.createModel,
		"GET " + p + "registered-models/get":      m.getModel,
		"POST " + p + "registered-models/set-tag": m.tagModel,
		"GET " + p + "registered-models/alias":    m.getAlias,
		"POST " + p + "registered-models/alias":   m.setAlias,
		"DELETE " + p + "registered-models/alias": m.deleteAlias,
		"POST " + p + "model-versions/create":     m.createVersion,
		"GET " + p + "model-versions/get":         m.getVersion,
		"GET " + p + "model-versions/search":      m.search,
		"POST " + p + "model-versions/set-tag":    m.tagVersion,
		"DELETE " + p + "model-versions/delete":   m.deleteVersion,
	} {
		m.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { m.serve(w, r, f) })
	}
	return m
}

// mlflowRequest is the query of a GET or the body of another, and the tags of what is made.
type mlflowRequest struct {
	Name, Alias, Version, Key, Value, Source string
	Tags                                     mlflowTags

	Filter    string `json:"-"`
	Max, From int    `json:"-"`
}

type mlflowError struct {
	status        int
	code, message string
}

func mlflowInvalid(format string, args ...any) *mlflowError {
	return &mlflowError{400, "INVALID_PARAMETER_VALUE", fmt.Sprintf(format, args...)}
}

func mlflowMissing(format string, args ...any) *mlflowError {
	return &mlflowError{404, "RESOURCE_DOES_NOT_EXIST", fmt.Sprintf(format, args...)}
}

// ServeHTTP implements http.Handler.
func (m *MLflow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page := func(status int, kind, text string) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}
	if m.cfg.Hosts != nil && !slices.Contains(m.cfg.Hosts, r.Host) {
		page(403, "text/plain", "Invalid Host header - possible DNS rebinding attack detected")
		return
	}
	if _, pattern := m.mux.Handler(r); pattern == "" {
		page(404, "text/html; charset=utf-8", "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n")
		return
	}
	if m.cfg.Rights != nil {
		user, password, _ := r.BasicAuth()
		switch right := m.cfg.Rights[user+":"+password]; {
		case right == "":
			w.Header().Set("WWW-Authenticate", `Basic realm="mlflow"`)
			page(401, "text/html; charset=utf-8", "You are not authenticated. Please see the documentation.")
			return
		case right == "READ" && r.Method != http.MethodGet, right == "EDIT" && r.Method == http.MethodDelete:
			page(403, "text/html; charset=utf-8", "Permission denied")
			return
		}
	}
	m.mux.ServeHTTP(w, r)
}

func (m *MLflow) serve(w http.ResponseWriter, r *http.Request, f func(mlflowRequest) (any, *mlflowError)) {
	q, bad := readMLflow(r)
	var out any = struct{}{}
	if bad == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		out, bad = f(q)
	}
	w.Header().Set("Content-Type", "application/json")
	if bad != nil {
		w.WriteHeader(bad.status)
		out = map[string]string{"error_code": bad.code, "message": bad.message, "sqlstate": "KAM00", "error_class": bad.code}
	}
	_ = json.NewEncoder(w).Encode(out)
}

func readMLflow(r *http.Request) (q mlflowRequest, bad *mlflowError) {
	if r.Method == http.MethodGet {
		v := r.URL.Query()
		q = mlflowRequest{Name: v.Get("name"), Alias: v.Get("alias"), Version: v.Get("version"), Filter: v.Get("filter")}
		q.Max, _ = strconv.Atoi(v.Get("max_results"))
		if raw, err := base64.StdEncoding.DecodeString(v.Get("page_token")); err == nil {
			_, _ = fmt.Sscanf(string(raw), `{"offset": %d}`, &q.From)
		}
	} else {
		if r.Header.Get("Content-Type") != "application/json" {
			return q, mlflowInvalid("Content-Type must be one of ['application/json'].")
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			if strings.Contains(err.Error(), "Version") {
				return q, mlflowInvalid("Invalid value for parameter 'version' supplied: Hint: Value was of type 'int'")
			}
			return q, mlflowInvalid("Missing value for required parameter 'name'")
		}
	}
	switch {
	case q.Name == "" && q.Filter == "":
		return q, mlflowInvalid("Missing value for required parameter 'name'. See the API docs for more information about request parameters.")
	case strings.ContainsAny(q.Name, "/:"):
		return q, mlflowInvalid("Invalid model name '%s'. Names cannot contain '/' or ':'.", q.Name)
	case q.Name == "." || q.Name == "..":
		return q, mlflowInvalid("Invalid value %q for parameter 'name' supplied: Names may be treated as files in certain cases", q.Name)
	}
	return q, nil
}

// number reads the version that is asked for.
func (q *mlflowRequest) number() (int, *mlflowError) {
	if q.Version == "" {
		return 0, mlflowInvalid("Missing value for required parameter 'version'. See the API docs for more information about request parameters.")
	}
	n, err := strconv.Atoi(q.Version)
	if err != nil {
		return 0, mlflowInvalid("Parameter 'version' must be an integer, got '%s'.", q.Version)
	}
	return n, nil
}

func (m *MLflow) model(q mlflowRequest) (*mlflowModel, *mlflowError) {
	if found := m.mu.models[q.Name]; found != nil {
		return found, nil
	}
	return nil, mlflowMissing("Registered Model with name=%s not found", q.Name)
}

func (m *MLflow) version(q mlflowRequest) (*mlflowModel, *mlflowVersion, *mlflowError) {
	n, bad := q.number()
	if bad != nil {
		return nil, nil, bad
	}
	if model := m.mu.models[q.Name]; model != nil {
		for _, v := range model.versions {
			if v.number == n {
				return model, v, nil
			}
		}
	}
	return nil, nil, mlflowMissing("Model Version (name=%s, version=%s) not found", q.Name, q.Version)
}

func (v *mlflowVersion) show(name string) map[string]any {
	return map[string]any{"name": name, "version": strconv.Itoa(v.number), "creation_timestamp": v.created, "last_updated_timestamp": v.created,
		"current_stage": "None", "source": "dummy-source", "run_id": "", "status": "READY", "tags": v.tags, "run_link": ""}
}

func (m *MLflow) createModel(q mlflowRequest) (any, *mlflowError) {
	if m.mu.models[q.Name] != nil {
		return nil, &mlflowError{400, "RESOURCE_ALREADY_EXISTS", fmt.Sprintf("Prompt (name=%s) already exists.", q.Name)}
	}
	m.mu.models[q.Name] = &mlflowModel{tags: q.Tags, aliases: map[string]int{}}
	return m.getModel(q)
}

func (m *MLflow) getModel(q mlflowRequest) (any, *mlflowError) {
	model, bad := m.model(q)
	if bad != nil {
		return nil, bad
	}
	out := map[string]any{"name": q.Name, "tags": model.tags}
	var aliases []map[string]string
	for alias, n := range model.aliases {
		aliases = append(aliases, map[string]string{"alias": alias, "version": strconv.Itoa(n)})
	}
	if aliases != nil {
		out["aliases"] = aliases
	}
	return map[string]any{"registered_model": out}, nil
}

func (m *MLflow) tagModel(q mlflowRequest) (any, *mlflowError) {
	model, bad := m.model(q)
	if bad == nil {
		model.tags.set(q.Key, q.Value)
	}
	return struct{}{}, bad
}

func (m *MLflow) getAlias(q mlflowRequest) (any, *mlflowError) {
	model, bad := m.model(q)
	if bad != nil {
		return nil, bad
	}
	for _, v := range model.versions {
		if model.aliases[q.Alias] == v.number {
			shown := v.show(q.Name)
			shown["aliases"] = []string{q.Alias}
			return map[string]any{"model_version": shown}, nil
		}
	}
	return nil, mlflowInvalid("Registered model alias %s not found.", q.Alias)
}

func (m *MLflow) setAlias(q mlflowRequest) (any, *mlflowError) {
	model, v, bad := m.version(q)
	if bad == nil {
		model.aliases[q.Alias] = v.number
	}
	return struct{}{}, bad
}

func (m *MLflow) deleteAlias(q mlflowRequest) (any, *mlflowError) {
	model, bad := m.model(q)
	if bad == nil {
		delete(model.aliases, q.Alias)
	}
	return struct{}{}, bad
}

func (m *MLflow) createVersion(q mlflowRequest) (any, *mlflowError) {
	model, bad := m.model(q)
	if bad != nil {
		return nil, bad
	}
	model.last++
	v := &mlflowVersion{number: model.last, created: m.cfg.Now().UnixMilli(), tags: q.Tags}
	model.versions = append(model.versions, v)
	return map[string]any{"model_version": v.show(q.Name)}, nil
}

func (m *MLflow) getVersion(q mlflowRequest) (any, *mlflowError) {
	_, v, bad := m.version(q)
	if bad != nil {
		return nil, bad
	}
	return map[string]any{"model_version": v.show(q.Name)}, nil
}

func (m *MLflow) tagVersion(q mlflowRequest) (any, *mlflowError) {
	_, v, bad := m.version(q)
	switch {
	case bad != nil:
		return nil, bad
	case len(q.Value) > 100_000:
		return nil, mlflowInvalid("'value' exceeds the maximum length of 100000 characters")
	}
	v.tags.set(q.Key, q.Value)
	return struct{}{}, nil
}

func (m *MLflow) deleteVersion(q mlflowRequest) (any, *mlflowError) {
	model, v, bad := m.version(q)
	if bad != nil {
		return nil, bad
	}
	model.versions = slices.DeleteFunc(model.versions, func(other *mlflowVersion) bool { return other == v })
	for alias, n := range model.aliases {
		if n == v.number {
			delete(model.aliases, alias)
		}
	}
	return struct{}{}, nil
}

var mlflowFilter = regexp.MustCompile("^name (=|LIKE) ('[^']*'|\"[^\"]*\")( AND tags\\.`mlflow\\.prompt\\.is_prompt` = 'true')?$")

func (m *MLflow) search(q mlflowRequest) (any, *mlflowError) {
	parts := mlflowFilter.FindStringSubmatch(q.Filter)
	if parts == nil {
		return nil, mlflowInvalid("Invalid clause(s) in filter string: %s", q.Filter)
	}
	name := parts[2][1 : len(parts[2])-1]
	var found []map[string]any
	for of, model := range m.mu.models {
		if !(of == name || parts[1] == "LIKE" && like(name, of)) || model.tags.has("mlflow.prompt.is_prompt", "true") != (parts[3] != "") {
			continue
		}
		for _, v := range slices.Backward(model.versions) {
			found = append(found, v.show(of))
		}
	}
	out := map[string]any{}
	found = found[min(q.From, len(found)):]
	if q.Max > 0 && len(found) > q.Max {
		found = found[:q.Max]
		out["next_page_token"] = base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"offset": %d}`, q.From+q.Max))
	}
	if len(found) > 0 {
		out["model_versions"] = found
	}
	return out, nil
}

// like is SQL's, with _ and % as wildcards.
func like(pattern, s string) bool {
	p := regexp.QuoteMeta(pattern)
	p = strings.NewReplacer("_", ".", "%", ".*").Replace(p)
	ok, err := regexp.MatchString("(?s)^"+p+"$", s)
	return err == nil && ok
}
