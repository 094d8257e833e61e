package mlflow

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/internal/fakeregistry"
)

// The client's conduct is held by internal/conform/registries, over a fake and over MLflow itself.

type handler struct{ http.Handler }

func (h handler) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// TestNumbersAreNoText: as text, 9 would come before 15.
func TestNumbersAreNoText(t *testing.T) {
	c := New(Config{URL: "http://mlflow.test", Alias: "production", Now: time.Now, Transport: handler{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"model_versions":[{"name":"p","version":"9"},{"name":"p","version":"15"},{"name":"p","version":"2"},{"name":"p","version":"10"}]}`)
	})}})
	all, err := c.List(t.Context(), "p")
	var got []string
	for _, v := range all {
		got = append(got, v.ID)
	}
	if err != nil || strings.Join(got, " ") != "15 10 9 2" {
		t.Errorf("%v %v", got, err)
	}
}

// FuzzMatches holds that no name gets out of its quotes: whatever it is, the filter is one that MLflow takes, and finds that prompt and
// no other.
func FuzzMatches(f *testing.F) {
	for _, name := range []string{"p", "o'brien", `say "hi"`, `both ' and "`, "' OR name != '", `" OR name != "`, `'" OR name LIKE '%`, "%", "_", "a`b", "-- ", ".", ""} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		fake := handler{fakeregistry.NewMLflow(fakeregistry.MLflowConfig{Now: time.Now})}
		post := func(path, body string) int {
			r := httptest.NewRequest("POST", api+path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			resp, err := fake.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode
		}
		const tags = `"tags":[{"key":"mlflow.prompt.is_prompt","value":"true"}]`
		post("/registered-models/create", `{"name":"other",`+tags+`}`)
		post("/model-versions/create", `{"name":"other",`+tags+`}`)
		c := New(Config{URL: "http://mlflow.test", Alias: "production", Transport: fake, Now: time.Now})
		all, err := c.List(t.Context(), name)
		e, ok := errors.AsType[*registry.Error](err)
		switch {
		case name == "other" && len(all) == 1:
		case ok && e.Kind == registry.NoPrompt:
		default:
			t.Errorf("%q: %+v %v", name, all, err)
		}
	})
}

// FuzzAnswer holds that nothing that a server says is more than an error.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "application/json", `{"model_version":{"name":"p","version":"3","creation_timestamp":1795245688643,"tags":[{"key":"mlflow.prompt.is_prompt","value":"true"}]}}`)
	f.Add(200, "application/json", `{"model_versions":[{"name":"p","version":"3"}],"next_page_token":"x"}`)
	f.Add(400, "application/json", `{"error_code":"INVALID_PARAMETER_VALUE","message":"Registered model alias production not found."}`)
	f.Add(404, "application/json", `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Registered Model with name=p not found"}`)
	f.Add(403, "text/plain", "Invalid Host header - possible DNS rebinding attack detected")
	f.Fuzz(func(t *testing.T, status int, kind, body string) {
		c := New(Config{URL: "http://mlflow.test", Alias: "production", Password: "pass-word", Now: time.Now, Transport: handler{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(min(max(status, 200), 599))
			_, _ = io.WriteString(w, body)
		})}})
		v, err1 := c.Current(t.Context(), "p")
		all, err2 := c.List(t.Context(), "p")
		if err1 == nil && v.ID == "" || err2 == nil && len(all) == 0 {
			t.Errorf("%+v, %+v", v, all)
		}
		_, err3 := c.Switched(t.Context(), "p")
		m := registry.Move{Prompt: "p", To: registry.Version{ID: "1"}, Seen: registry.Version{ID: "3"}}
		for _, err := range []error{err1, err2, err3, c.Move(t.Context(), m)} {
			if err == nil {
				continue
			}
			if _, ok := errors.AsType[*registry.ConflictError](err); ok {
				continue
			}
			if e, ok := errors.AsType[*registry.Error](err); !ok || e.Reason == "" {
				t.Errorf("%v", err)
			}
		}
	})
}
