package helicone

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/driftd/driftd/consumer"
)

// texts is all bytes that can be reached from a value.
func texts(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			return string(v.Bytes()) + "\n"
		}
		var b strings.Builder
		for i := range v.Len() {
			b.WriteString(texts(v.Index(i)))
		}
		return b.String()
	case reflect.Struct:
		var b strings.Builder
		for i := range v.NumField() {
			b.WriteString(texts(v.Field(i)))
		}
		return b.String()
	case reflect.Pointer:
		return texts(v.Elem())
	case reflect.String:
		return v.String() + "\n"
	}
	return ""
}

// Every field that any release writes, each with a canary that says where it stood. Those of labels end in "=".
const (
	canaryLog = `{"id":"@id","authorization":"@authorization","encryptedPayload":"@encryptedPayload","decryptedPayload":{"authorization":"@decrypted","posthogApiKey":"@decryptedKey"},
"heliconeMeta":{"modelOverride":"@modelOverride","omitRequestLog":"@omitRequestLog","omitResponseLog":"@omitResponseLog","webhookEnabled":"@webhookEnabled","posthogApiKey":"@posthogApiKey",
"posthogHost":"@posthogHost","lytixKey":"@lytixKey","lytixHost":"@lytixHost","heliconeManualAccessKey":"@manualAccessKey","stripeCustomerId":"@stripe","promptId":"@prompt=",
"promptVersionId":"@version=","promptInputs":{"question":"@inputs","@inputKey":["@inputList"]},"promptEnvironment":"@environment=","gatewayRouterId":"@router","gatewayDeploymentTarget":"@deployment",
"isPassthroughBilling":"@billing","gatewayProvider":"@gatewayProvider","gatewayModel":"@model=","providerModelId":"@providerModel","aiGatewayBodyMapping":"@mapping","freeLimitExceeded":"@limit"},
"log":{"request":{"id":"@request=","userId":"@user","promptId":"@legacyPrompt","promptVersion":"@legacyVersion","properties":{"tier":"@tier=","Locale":"@locale=","Helicone-Session-Id":"@session",
"Helicone-Prompt-Id":"@promptProperty","Helicone-Auth":"@auth","@key":"@property"},"heliconeApiKeyId":"@apiKeyId","heliconeProxyKeyId":"@proxyKeyId","targetUrl":"@targetUrl","provider":"@provider",
"model":"@requestModel","body":"@requestBody","bodySize":"@bodySize","path":"@path","threat":"@threat","countryCode":"@country","isStream":"@isStream","heliconeTemplate":{"template":"@template","inputs":{"q":"@templateInput"}},
"experimentRowIndex":"@row","cacheEnabled":"@cacheEnabled","cacheSeed":"@cacheSeed","cacheControl":"@cacheControl","requestReferrer":"@referrer","@requestKey":"@requestValue"},
"response":{"id":"@responseId","body":"@responseBody","status":200,"bodySize":"@size","delayMs":5,"model":"@responseModel","cachedLatency":"@cachedLatency","@responseKey":"@responseValue"},"@logKey":"@logValue"},"@top":"@topValue"}`

	canaryScores = `{"requestId":"@request=","organizationId":"@organization","scores":[{"score_attribute_key":"@rubric=","score_attribute_type":"@type","score_attribute_value":1,"@scoreKey":"@scoreValue"}],"@top":"@topValue"}`
)

func TestNothingElseLeaves(t *testing.T) {
	for name, tc := range map[string]struct {
		record string
		labels []string
	}{
		"log":    {canaryLog, []string{"@prompt=", "@version=", "@environment=", "@model=", "@request=", "@tier=", "@locale="}},
		"scores": {canaryScores, []string{"@request=", "@rubric="}},
	} {
		for _, record := range []string{tc.record, `{"value":` + quote(tc.record) + `}`} {
			d := newDecoder(t, nil)
			events := 0
			if err := d.Decode([]byte(record), func(e *consumer.Event) {
				events++
				all := texts(reflect.ValueOf(e))
				for _, l := range tc.labels {
					if !strings.Contains(all, l) {
						t.Errorf("%s: %s is missing", name, l)
					}
					all = strings.ReplaceAll(all, l, "")
				}
				if strings.Contains(all, "@") {
					t.Errorf("%s: %q", name, all)
				}
			}); err != nil || events != 1 {
				t.Errorf("%s: %d events, %v", name, events, err)
			}
		}
	}
}

// TestErrorsSayNothing breaks a record in every place: no error and no fault may hold any of it.
func TestErrorsSayNothing(t *testing.T) {
	d := newDecoder(t, nil)
	failed := 0
	try := func(record string) {
		err := d.Decode([]byte(record), func(e *consumer.Event) {
			if strings.Contains(e.Fault.Detail, "@") {
				t.Errorf("fault %q", e.Fault.Detail)
			}
		})
		if err != nil {
			failed++
			if strings.Contains(err.Error(), "@") || strings.Contains(fmt.Sprintf("%+v", err), "@") {
				t.Errorf("error %+v", err)
			}
		}
	}
	for _, whole := range []string{canaryLog, canaryScores} {
		wrapped := `{"value":` + quote(whole) + `}`
		for cut := range wrapped {
			try(wrapped[:cut])
			if cut < len(whole) {
				try(whole[:cut])
				try(`{"value":` + quote(whole[:cut]) + `}`)
			}
		}
		for from, at := 0, 0; at >= 0; from += at + 1 {
			if at = strings.IndexByte(whole[from:], ':'); at < 0 {
				break
			}
			for _, instead := range []string{`["@"],"":`, `{"@":"@"},"":`, `@`, `"@`, `"@":"@":`, `-1e999,"":`, `"@\ud800\x"`} {
				try(whole[:from+at+1] + instead + whole[from+at+1:])
			}
		}
	}
	if failed < 1000 {
		t.Errorf("only %d records were refused", failed)
	}
}

func FuzzDecode(f *testing.F) {
	files, err := os.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if file.IsDir() {
			continue
		}
		record := fixture(f, strings.TrimSuffix(file.Name(), ".json"))
		var outer struct{ Value string }
		if err := json.Unmarshal(record, &outer); err != nil {
			f.Fatal(err)
		}
		f.Add(record)
		f.Add([]byte(outer.Value))
	}
	f.Add([]byte(canaryLog))
	f.Add([]byte(canaryScores))
	d := newDecoder(f, nil)
	f.Fuzz(func(t *testing.T, record []byte) {
		show := func(d *decoder) (out string, err error) {
			err = d.Decode(record, func(e *consumer.Event) { out = fmt.Sprintf("%q", fmt.Sprint(*e)) })
			return out, err
		}
		used, err := show(d)
		fresh, again := show(New(d.attrs).(*decoder))
		if used != fresh || fmt.Sprint(err) != fmt.Sprint(again) {
			t.Errorf("%q depends on the records before: %s, %v; %s, %v", record, used, err, fresh, again)
		}
		if err == nil && !json.Valid(record) {
			t.Errorf("read what is no JSON: %q", record)
		}
		var refused *consumer.RecordError
		if err != nil && !errors.As(err, &refused) {
			t.Fatalf("%T: %v", err, err)
		}
	})
}

// FuzzText holds that no text changes what comes out, nor comes out itself.
func FuzzText(f *testing.F) {
	f.Add("Bearer sk-1\"\\\n{}[],:\u2028")
	f.Add(`","promptId":"q`)
	f.Add(`\",\"promptId\":\"q`)
	f.Add("\xff\x00")
	d := newDecoder(f, nil)
	f.Fuzz(func(t *testing.T, text string) {
		text = "@" + text
		inner, _ := json.Marshal(map[string]any{
			"authorization": text, text: text,
			"heliconeMeta": map[string]any{"promptId": "p", "posthogApiKey": text, "promptInputs": map[string]any{text: text}, text: text},
			"log": map[string]any{
				"request":  map[string]any{"id": "r", "userId": text, "properties": map[string]any{"tier": "pro", text: text}, "targetUrl": text, "heliconeTemplate": text},
				"response": map[string]any{"status": 200, "body": text, text: text},
			},
		})
		got := decode(t, d, []byte(`{"value":`+quote(string(inner))+`}`))
		if got == nil || got.Prompt != "p" || got.Response != "r" || got.Cohort != "pro|" || got.Figures["error"] != 0 || strings.Contains(fmt.Sprint(*got), "@") {
			t.Errorf("%+v", got)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	d := newDecoder(b, nil)
	for _, name := range []string{"log", "scores"} {
		record := fixture(b, name)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(record)))
			for b.Loop() {
				if err := d.Decode(record, func(*consumer.Event) {}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
