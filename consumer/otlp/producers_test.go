package otlp_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/windows"
)

var rewrite = flag.Bool("rewrite", false, "write what was made of the producers' records into their want files")

// TestRealProducers holds what is made of the records that real producers have written through a Collector, see internal/producers. A
// record is there in both encodings, and both say the same.
func TestRealProducers(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join("testdata", "producers", "*"))
	if err != nil || len(dirs) == 0 {
		t.Fatal("no producers: ", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			proto, json := shown(t, dir, "otlp_proto", otlp.New), shown(t, dir, "otlp_json", otlp.NewJSON)
			if proto != json {
				t.Errorf("the encodings differ (-proto +json):\n%s", cmp.Diff(proto, json))
			}
			file := filepath.Join(dir, "want")
			if *rewrite {
				if err := os.WriteFile(file, []byte(proto), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), proto); diff != "" {
				t.Errorf("other events (-want +got):\n%s", diff)
			}
		})
	}
}

// shown is what is made of all records of an encoding, in words.
func shown(t *testing.T, dir, encoding string, decoder consumer.NewDecoder) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*."+encoding))
	if err != nil || len(files) == 0 {
		t.Fatalf("no records in %s: %v", encoding, err)
	}
	slices.Sort(files)
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: []consumer.Dimension{
		{Name: "tier", Attributes: []string{
			"prompt.tier", "langfuse.observation.metadata.tier", "traceloop.association.properties.tier", "promptlayer.metadata.tier",
		}},
		{Name: "locale"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range files {
		record, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n", strings.TrimSuffix(filepath.Base(f), "."+encoding))
		err = decoder(attrs).Decode(record, func(e *consumer.Event) { show(&b, attrs, e) })
		if err != nil {
			fmt.Fprintf(&b, "  error: %v\n", err)
		}
	}
	return b.String()
}

// show writes an event, but for what is not there.
func show(b *strings.Builder, attrs *consumer.Attributes, e *consumer.Event) {
	kind := "span"
	switch {
	case e.Kind == consumer.Score:
		kind = "score"
	case e.Call:
		kind = "call"
	}
	fmt.Fprintf(b, "  %s\n", kind)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "    %-13s %s\n", name, value)
		}
	}
	id := func(id []byte) string {
		if bytes.Count(id, []byte{0}) == len(id) {
			return ""
		}
		return hex.EncodeToString(id)
	}
	line("time", time.Unix(0, e.Time).UTC().Format(time.RFC3339Nano))
	line("trace", id(e.Trace[:]))
	line("span", id(e.Span[:]))
	line("parent", id(e.Parent[:]))
	line("prompt", string(e.Prompt))
	line("version", string(e.Version))
	for i, d := range e.Dimensions {
		line(attrs.Dimensions()[i], string(d))
	}
	line("template_hash", string(e.TemplateHash))
	line("model", string(e.Model))
	line("variant", string(e.Variant))
	line("environment", string(e.Environment))
	line("response", string(e.Response))
	for i, v := range e.Values {
		if e.Has.Has(windows.Builtin(i)) {
			line(windows.BuiltinNames[i], fmt.Sprint(v))
		}
	}
	for _, s := range e.Scores {
		value := string(s.Label)
		if s.HasValue {
			value = strings.TrimSpace(fmt.Sprint(s.Value, " ", value))
		}
		line("score", string(s.Rubric)+" = "+value)
	}
	if e.Fault.Reason != consumer.Fine {
		line("refused", fmt.Sprintf("%s: %s", e.Fault.Reason, e.Fault.Detail))
	}
}
