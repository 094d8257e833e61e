package registries

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/alert/registry/mlflow"
	"github.com/driftd/driftd/alert/rollback"
	"github.com/driftd/driftd/internal/fakeregistry"
)

// TestMLflow runs the suite over a fake that answers as MLflow 3.17.2 was seen to do.
func TestMLflow(t *testing.T) {
	run(t, mlflowSubject("mlflow (fake)", func(*testing.T) world {
		asks := &mlflowWorld{
			server: fake(fakeregistry.NewMLflow(fakeregistry.MLflowConfig{Now: time.Now, Rights: map[string]string{
				"admin:admin-password": "MANAGE", "driftd:daemon-password": "EDIT", "viewer:reader-password": "READ",
			}})),
			passwords: map[who]string{daemon: "driftd:daemon-password", reader: "viewer:reader-password", stranger: "driftd:wrong-password"},
		}
		asks.sign = basic("admin:admin-password")
		return &mlflowWorld{server: fake(fakeregistry.NewMLflow(fakeregistry.MLflowConfig{Now: time.Now, Hosts: []string{"registry.test"}})), asks: asks}
	}))
}

// TestMLflowServer runs it over MLflow itself: MLFLOW_URL, and MLFLOW_AUTH_URL with MLFLOW_AUTH_ADMIN (user:password) for one with
// basic authentication.
func TestMLflowServer(t *testing.T) {
	s := real(t, "MLFLOW_URL", "mlflow")
	if s == nil {
		t.Skip("MLFLOW_URL is not set: see make test-registries")
	}
	run(t, mlflowSubject("mlflow (server)", func(t *testing.T) world {
		w := &mlflowWorld{server: s}
		if asks := real(t, "MLFLOW_AUTH_URL", "mlflow-auth"); asks != nil {
			asks.sign = basic(os.Getenv("MLFLOW_AUTH_ADMIN"))
			tail := strings.ToLower(rand.Text()[:6])
			w.asks = &mlflowWorld{server: asks, editor: "driftd-" + tail, passwords: map[who]string{
				daemon: "driftd-" + tail + ":daemon-password", reader: "viewer-" + tail + ":reader-password", stranger: "driftd-" + tail + ":wrong-password",
			}}
			for _, user := range []who{daemon, reader} {
				name, password, _ := strings.Cut(w.asks.passwords[user], ":")
				asks.ask(t, "POST", "/api/2.0/mlflow/users/create", nil, map[string]string{"username": name, "password": password}, nil)
			}
		}
		return w
	}))
}

func basic(userPassword string) func(*http.Request) {
	user, password, _ := strings.Cut(userPassword, ":")
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

func mlflowSubject(name string, w func(t *testing.T) world) subject {
	tail := " " + rand.Text()[:6]
	return subject{
		name: name, world: w,
		names:   []string{"o'brien" + tail, `say "hi"` + tail, `both ' and "` + tail, `both - and "` + tail, "a b?c#d" + tail, "ü&%2f🙂" + tail, "back\\slash" + tail, "<script>" + tail, "Case" + tail, "x_y%" + tail},
		endless: `{"model_versions":[{"name":"p","version":"7","tags":[{"key":"mlflow.prompt.is_prompt","value":"true"}]}],"next_page_token":"more"}`,
	}
}

type mlflowWorld struct {
	*server
	asks      *mlflowWorld   // one that asks for credentials; nil for none
	passwords map[who]string // user:password; nil where nobody is asked
	editor    string         // user who is to have EDIT on each prompt; empty where that needs no grant
}

func (w *mlflowWorld) power() power { return w.off }

func (w *mlflowWorld) guarded() world {
	if w.asks == nil {
		return nil
	}
	return w.asks
}

func (w *mlflowWorld) secrets(as who) []string {
	user, password, ok := strings.Cut(w.passwords[as], ":")
	if !ok {
		return nil
	}
	return []string{password, base64.StdEncoding.EncodeToString([]byte(user + ":" + password))}
}

func (w *mlflowWorld) client(t *testing.T, as who, through middleware) rollback.Registry {
	user, password, _ := strings.Cut(w.passwords[as], ":")
	return mlflow.New(mlflow.Config{
		URL: w.base + "/", Alias: "production", Username: user, Password: password, Grace: time.Minute, Transport: w.between(through), Now: time.Now,
	})
}

const mlflowAPI = "/api/2.0/mlflow/"

type object map[string]any

func isPrompt() []object { return []object{{"key": "mlflow.prompt.is_prompt", "value": "true"}} }

func (w *mlflowWorld) seed(t *testing.T, prompt string, n int) {
	t.Helper()
	w.ask(t, "POST", mlflowAPI+"registered-models/create", nil, object{"name": prompt, "tags": isPrompt()}, nil)
	for i := range n {
		tags := append(isPrompt(), object{"key": "_mlflow_prompt_type", "value": "text"}, object{"key": "mlflow.prompt.text", "value": "v" + strconv.Itoa(i+1) + " {{x}}"})
		w.ask(t, "POST", mlflowAPI+"model-versions/create", nil, object{"name": prompt, "source": "dummy-source", "tags": tags}, nil)
	}
	if w.editor != "" {
		w.ask(t, "POST", "/api/3.0/mlflow/users/permissions/grant", nil, object{"username": w.editor, "resource_type": "prompt", "resource_id": prompt, "permission": "EDIT"}, nil)
	}
}

func (w *mlflowWorld) alias(label string) string {
	if label == "" {
		return "production"
	}
	return label
}

func (w *mlflowWorld) label(t *testing.T, prompt, label string, n int) {
	t.Helper()
	body := object{"name": prompt, "alias": w.alias(label)}
	if n == 0 {
		w.ask(t, "DELETE", mlflowAPI+"registered-models/alias", nil, body, nil)
		return
	}
	body["version"] = strconv.Itoa(n)
	w.ask(t, "POST", mlflowAPI+"registered-models/alias", nil, body, nil)
}

func (w *mlflowWorld) labelled(t *testing.T, prompt, label string) int {
	t.Helper()
	var out struct {
		Model struct {
			Aliases []struct{ Alias, Version string }
		} `json:"registered_model"`
	}
	w.ask(t, "GET", mlflowAPI+"registered-models/get", url.Values{"name": {prompt}}, nil, &out)
	for _, a := range out.Model.Aliases {
		if a.Alias == w.alias(label) {
			n, _ := strconv.Atoi(a.Version)
			return n
		}
	}
	return 0
}

func (w *mlflowWorld) remove(t *testing.T, prompt string, n int) {
	t.Helper()
	w.ask(t, "DELETE", mlflowAPI+"model-versions/delete", nil, object{"name": prompt, "version": strconv.Itoa(n)}, nil)
}

// impostor makes a registered model of two versions that are no prompts, the second with the alias.
func (w *mlflowWorld) impostor(t *testing.T, name string) {
	t.Helper()
	w.ask(t, "POST", mlflowAPI+"registered-models/create", nil, object{"name": name}, nil)
	for range 2 {
		w.ask(t, "POST", mlflowAPI+"model-versions/create", nil, object{"name": name, "source": "s3://bucket/model"}, nil)
	}
	w.label(t, name, "", 2)
}

func (w *mlflowWorld) misnamed(*testing.T) rollback.Registry {
	return mlflow.New(mlflow.Config{URL: "http://mlflow.internal:5000", Alias: "production", Transport: w.anyHost(), Now: time.Now})
}

func (w *mlflowWorld) switchOff(t *testing.T, prompt string) {
	t.Helper()
	w.ask(t, "POST", mlflowAPI+"registered-models/set-tag", nil, object{"name": prompt, "key": "driftd.rollback", "value": "off"}, nil)
}

func (w *mlflowWorld) noted(t *testing.T, prompt string, n int) string {
	t.Helper()
	var out struct {
		Version struct {
			Tags []struct{ Key, Value string }
		} `json:"model_version"`
	}
	w.ask(t, "GET", mlflowAPI+"model-versions/get", url.Values{"name": {prompt}, "version": {strconv.Itoa(n)}}, nil, &out)
	for _, tag := range out.Version.Tags {
		if tag.Key == "driftd.rolled_back_why" {
			return tag.Value
		}
	}
	return ""
}
