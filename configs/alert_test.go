package configs

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/driftd/driftd/detector"
)

// alertRecord is the example of the format's description: what programs were built for.
const alertRecord = `{"id":"9f3c","step":3,"type":"firing","time":"2026-11-20T14:41:00Z","group":"support","rule":"GroundingRegressed",
 "prompt":"support_intent_classifier","version":"v23","variant":"control","cohort":{"tier":"enterprise","locale":"de"},
 "metric":"citation_grounding","kind":"drift","value":0.78,"reference":0.91,"interval":[0.75,0.81],"samples":412,"window":"1h",
 "onset":"2026-11-20T14:22:00Z","false_alarms":"1/30d","against":{"kind":"previous_version","version":"v22"},
 "explained_by":[{"cohort":{"tier":"enterprise","locale":"de"},"share":0.87}],
 "changed":[{"axis":"model","from":"claude-4-7-sonnet-20260301","to":"claude-4-7-sonnet-20260315","time":"2026-11-20T14:20:00Z"}],
 "other_versions_moved":true,"exemplars":["5b8efff798038103d269b633813fc60c"],
 "labels":{"severity":"page","team":"support-ml"},"annotations":{"summary":"…","runbook_url":"…"}}`

// recordTypes are those of the format's description.
var recordTypes = []detector.RecordType{
	"pending", "firing", "resolved", "notified", "silenced", "acknowledged", "rollback_proposed", "rollback_approved", "rollback_rejected",
	"rollback_refused", "rollback_promoted", "rollback_failed", "recovered", "ineffective",
}

// TestAlertRecords: the example is a record with no key lost or renamed, and the schema knows it.
func TestAlertRecords(t *testing.T) {
	schema := loadSchema(t, "alert.schema.json")
	example := fromJSON(t, []byte(alertRecord))
	if problem := conforms(schema, example); problem != "" {
		t.Errorf("the example does not conform: %s", problem)
	}
	var r detector.Record
	d := json.NewDecoder(bytes.NewReader([]byte(alertRecord)))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatal(err)
	}
	marshalled := func() any {
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return fromJSON(t, out)
	}
	if got := marshalled(); !reflect.DeepEqual(got, example) {
		t.Errorf("the example is\n%v, read and written again\n%v", example, got)
	}
	for _, typ := range recordTypes {
		r.Type, r.Actor = typ, "slack:U012 (jane)"
		if problem := conforms(schema, marshalled()); problem != "" {
			t.Errorf("%s does not conform: %s", r.Type, problem)
		}
	}
	r.Type = "nonsense"
	if conforms(schema, marshalled()) == "" {
		t.Error("the schema lets pass a type that does not exist")
	}
	delete(example.(map[string]any), "samples")
	if conforms(schema, example) == "" {
		t.Error("the schema lets pass a record without samples")
	}
}
