package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/driftd/driftd/alert/desk"
)

const (
	maxBody   = 64 << 10
	maxAuthor = 80 // bytes
)

// Problem is the body of every answer that is not what was asked for.
type Problem struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty" doc:"What would be right."`
	ID    string `json:"id,omitempty" doc:"Of what was written, with 202: it holds, and has not been seen yet."`
}

// route is one line of the API: what is served, and what the OpenAPI document says of it.
type route struct {
	method, path, does string
	right              right
	query              []param
	in, out            reflect.Type // in is nil without a body
	code               int          // where all is well
	serve              func(s *Server, c *call) (any, error)
}

// param is a query parameter.
type param struct{ name, does string }

// call is a request that was let in.
type call struct {
	*http.Request
	who   string              // as the audit log shows it
	query map[string][]string // parameters that the route has
}

// badRequest is a mistake of the asker.
type badRequest struct{ Problem }

func (e *badRequest) Error() string { return e.Problem.Error }

// unavailable is what cannot be answered now.
type unavailable struct{ Problem }

func (e *unavailable) Error() string { return e.Problem.Error }

func bad(hint, format string, args ...any) error {
	return &badRequest{Problem{Error: fmt.Sprintf(format, args...), Hint: hint}}
}

// get is a route that reads.
func get[Out any](path, does string, query []param, f func(*Server, *call) (Out, error)) route {
	return route{
		method: "GET", path: path, does: does, query: query, out: reflect.TypeFor[Out](), code: http.StatusOK,
		serve: func(s *Server, c *call) (any, error) { return f(s, c) },
	}
}

// By names a person beside the token.
type By struct {
	Author string `json:"author,omitempty" doc:"Who asks, where several people or programs share a token: stands behind its name in the audit log."`
}

func (b By) author() string { return strings.TrimSpace(b.Author) }

// change is a route that writes. Its body may be left out where nothing in it is required.
func change[In interface{ author() string }, Out any](method, path, does string, code int, f func(*Server, *call, In) (Out, error)) route {
	return route{
		method: method, path: path, does: does, right: writes, in: reflect.TypeFor[In](), out: reflect.TypeFor[Out](), code: code,
		serve: func(s *Server, c *call) (any, error) {
			var in In
			if err := decode(c.Request, &in); err != nil {
				return nil, err
			}
			if a := in.author(); a != "" {
				if len(a) > maxAuthor || strings.ContainsFunc(a, unicode.IsControl) {
					return nil, bad(fmt.Sprintf("%d bytes at most, of one line", maxAuthor), "this is no author")
				}
				c.who += " for " + a
			}
			return f(s, c, in)
		},
	}
}

// decode reads a body: one JSON object, of known keys.
func decode(r *http.Request, into any) error {
	data, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return bad("", "the body has more than %d bytes", tooLarge.Limit)
	}
	if err != nil {
		return bad("", "the body cannot be read: %v", err)
	}
	if len(data) == 0 {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	err = d.Decode(into)
	if err == nil && d.More() {
		err = errors.New("there is more than one value")
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		return bad("", "%s cannot be a %s", wrong.Field, wrong.Value)
	}
	if err != nil {
		return bad("a JSON object, as "+prefix+"/openapi.json describes it", "the body cannot be read: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

const prefix = "/api/v1"

// api answers everything below prefix.
func (s *Server) api() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range routes {
		mux.HandleFunc(rt.method+" "+prefix+rt.path, s.handle(rt))
	}
	mux.HandleFunc("GET "+prefix+"/openapi.json", func(w http.ResponseWriter, _ *http.Request) { tell(w, http.StatusOK, document()) })
	mux.HandleFunc("/", s.nothing)
	return mux
}

// nothing answers what no route has.
func (s *Server) nothing(w http.ResponseWriter, r *http.Request) {
	var methods []string
	for _, rt := range routes {
		if samePath(prefix+rt.path, r.URL.Path) {
			methods = append(methods, rt.method)
		}
	}
	if len(methods) > 0 {
		slices.Sort(methods)
		allow := strings.Join(methods, ", ")
		w.Header().Set("Allow", allow)
		tell(w, http.StatusMethodNotAllowed, Problem{Error: r.Method + " is not for " + r.URL.Path, Hint: allow + " is"})
		return
	}
	tell(w, http.StatusNotFound, Problem{Error: "there is no " + r.URL.Path, Hint: "GET " + prefix + "/openapi.json lists what there is"})
}

// samePath says that a path is one of a pattern's, where {…} stands for anything.
func samePath(pattern, path string) bool {
	ps, is := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(ps) != len(is) {
		return false
	}
	for i := range ps {
		if ps[i] != is[i] && !strings.HasPrefix(ps[i], "{") {
			return false
		}
	}
	return true
}

func (s *Server) handle(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, no := s.enter(r, rt.right)
		if no != nil {
			no.tell(w)
			return
		}
		c := &call{Request: r, who: who, query: r.URL.Query()}
		out, err := rt.ask(s, c)
		if err == nil {
			tell(w, rt.code, out)
			return
		}
		code, p := s.problem(c, out, err)
		if code == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
		tell(w, code, p)
	}
}

// ask checks the parameters and serves.
func (rt *route) ask(s *Server, c *call) (any, error) {
	for name, values := range c.query {
		i := slices.IndexFunc(rt.query, func(p param) bool { return p.name == name })
		switch {
		case i < 0 && len(rt.query) == 0:
			return nil, bad("this takes none", "there is no parameter %q", name)
		case i < 0:
			var names []string
			for _, p := range rt.query {
				names = append(names, p.name)
			}
			return nil, bad("one of "+strings.Join(names, ", "), "there is no parameter %q", name)
		case len(values) > 1:
			return nil, bad("", "parameter %s is given twice", name)
		}
	}
	return rt.serve(s, c)
}

// param is a query parameter, empty where it is not given.
func (c *call) param(name string) string {
	if v := c.query[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// limit is the parameter of that name.
func (c *call) limit(usual, most int) (int, error) {
	text := c.param("limit")
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, bad(fmt.Sprintf("a number from 1 to %d", most), "limit cannot be %q", text)
	}
	return n, nil
}

// problem is how an error is told.
func (s *Server) problem(c *call, out any, err error) (code int, p Problem) {
	if e, ok := errors.AsType[*badRequest](err); ok {
		return http.StatusBadRequest, e.Problem
	}
	if e, ok := errors.AsType[*unavailable](err); ok {
		return http.StatusServiceUnavailable, e.Problem
	}
	if e, ok := errors.AsType[*desk.InvalidError](err); ok {
		return http.StatusBadRequest, Problem{Error: e.Problem, Hint: e.Hint}
	}
	if e, ok := errors.AsType[*desk.DoneError](err); ok {
		return http.StatusConflict, Problem{Error: e.Error()}
	}
	switch {
	case errors.Is(err, desk.ErrNotFound):
		what, _, _ := strings.Cut(err.Error(), ":")
		return http.StatusNotFound, Problem{Error: "there is no " + what, Hint: s.near(c)}
	case errors.Is(err, desk.ErrUnseen):
		p := Problem{Error: err.Error(), Hint: "it holds; look again in a moment"}
		if w, ok := out.(interface{ written() string }); ok {
			p.ID = w.written()
		}
		return http.StatusAccepted, p
	}
	return http.StatusServiceUnavailable, Problem{Error: "the alerts topic cannot be written: " + err.Error(), Hint: "it may have happened or not: look, and try again; /-/ready says how driftd is"}
}
