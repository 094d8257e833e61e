package hooks

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
)

func FuzzParse(f *testing.F) {
	f.Add(mlflow("production", "23"))
	f.Add(langfuse("e1", 23, `"user":{"name":"jane"},`, `["production"]`))
	f.Add(`{"prompt":"p","version":7,"author":"jane","time":"2026-11-21T12:00:00Z"}`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, kind := range []string{"mlflow", "langfuse", "webhook"} {
			d, err := parse(kind, []byte(body), "production")
			if err == nil && d.moves && (d.event.Prompt == "" || d.event.Version == "" || len(d.event.Prompt) > longestName || len(d.event.Version) > longestName) {
				t.Errorf("%s: %q is taken for %+v", kind, body, d)
			}
			if err != nil && d.moves {
				t.Errorf("%s: %q fails and moves", kind, body)
			}
			if n := name(d.event.Author); len([]rune(n)) > 100 || strings.ContainsFunc(n, unicode.IsControl) {
				t.Errorf("%q is shown as %q", d.event.Author, n)
			}
		}
	})
}

// FuzzVerify: nothing that was not signed is taken.
func FuzzVerify(f *testing.F) {
	f.Add("t=1795246241,v1=00", "1795246241", "d1", "body")
	f.Add("v1,AAAA", "1795246241", "d1", "")
	f.Fuzz(func(t *testing.T, sig, ts, id, body string) {
		h := http.Header{"X-Langfuse-Signature": {sig}, "X-Mlflow-Signature": {sig}, "X-Mlflow-Timestamp": {ts}, "X-Mlflow-Delivery-Id": {id}}
		now := time.Unix(1795246241, 0)
		if _, ok := langfuseVerifier([]byte(secret))(h, []byte(body), now); ok {
			t.Errorf("langfuse: %q is taken", sig)
		}
		if _, ok := mlflowVerifier([]byte(secret))(h, []byte(body), now); ok {
			t.Errorf("mlflow: %q is taken", sig)
		}
	})
}
