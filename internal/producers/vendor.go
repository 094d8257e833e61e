package producers

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	_ "embed"
)

//go:embed texts.json
var textsFile []byte

// texts are all that prompts, messages and answers say.
var texts = func() (t struct{ System, Template, Variable, Completion, Explanation string }) {
	if err := json.Unmarshal(textsFile, &t); err != nil {
		panic(fmt.Sprintf("BUG: texts.json: %v", err))
	}
	return t
}()

// vendor answers as the model providers' and the registries' services do, to the clients that producers bring along. What is meant
// for a registry's own OTLP endpoint it passes on to the Collector.
type vendor struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string]int // requests by method and path
}

func startVendor(t *testing.T, otlp string) *vendor {
	v := &vendor{asked: map[string]int{}}
	mux := http.NewServeMux()
	answers := map[string]any{
		"POST /v1/chat/completions": completion,
		"POST /v1/responses":        response,
		"POST /v1/messages":         message,
		// Langfuse
		"GET /api/public/v2/prompts/{name...}": langfusePrompt,
		"POST /api/public/scores":              map[string]any{"id": "s"},
		// Traceloop
		"GET /v1/traceloop/prompts":                traceloopPrompts,
		"GET /v1/traceloop/pii/tracing-allow-list": map[string]any{"associationPropertyAllowList": []any{}},
		// LangWatch
		"GET /api/prompts/{name...}": langwatchPrompt,
		// LangSmith
		"GET /commits/{owner}/{name}/{commit}": langsmithPrompt,
		"POST /feedback":                       map[string]any{},
		// PromptLayer
		"POST /prompt-templates/{name...}": promptlayerPrompt,
		"POST /track-request":              map[string]any{"success": true, "request_id": 1},
		"POST /library-track-score":        map[string]any{"success": true},
	}
	for pattern, answer := range answers {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body := answer
			if f, ok := answer.(func(*http.Request) any); ok {
				body = f(r)
			}
			w.Header().Set("Content-Type", "application/json")
			if body == nil {
				w.WriteHeader(http.StatusNotFound)
				body = map[string]any{"error": "NotFound", "message": "there is no such prompt"}
			}
			if err := json.NewEncoder(w).Encode(body); err != nil {
				t.Error(err)
			}
		})
	}
	toCollector := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: otlp})
		r.Out.URL.Path = "/v1/traces"
	}}
	for _, path := range []string{"/api/public/otel/v1/traces", "/api/otel/v1/traces"} {
		mux.Handle("POST "+path, toCollector)
	}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		if pattern == "" {
			body, _ := io.ReadAll(io.LimitReader(r.Body, 2000))
			t.Logf("the vendor was asked for what it does not know: %s %s %s", r.Method, r.URL, body)
		}
		v.mu.Lock()
		v.asked[r.Method+" "+r.URL.Path]++
		v.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(v.Close)
	return v
}

// model is what the request asks for, with the date that providers add.
func model(r *http.Request) string {
	var body struct{ Model string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Model == "" {
		return "unknown"
	}
	return body.Model + "-20240806"
}

func completion(r *http.Request) any {
	return map[string]any{
		"id": "chatcmpl-9Xk2", "object": "chat.completion", "created": 1700000000, "model": model(r), "system_fingerprint": "fp_50cad350e4",
		"choices": []any{map[string]any{"index": 0, "finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": texts.Completion}}},
		"usage":   map[string]any{"prompt_tokens": 42, "completion_tokens": 7, "total_tokens": 49},
	}
}

func response(r *http.Request) any {
	return map[string]any{
		"id": "resp_9Xk2", "object": "response", "created_at": 1700000000, "status": "completed", "model": model(r),
		"output": []any{map[string]any{
			"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
			"content": []any{map[string]any{"type": "output_text", "text": texts.Completion, "annotations": []any{}}},
		}},
		"parallel_tool_calls": true, "tool_choice": "auto", "tools": []any{},
		"usage": map[string]any{
			"input_tokens": 42, "output_tokens": 7, "total_tokens": 49,
			"input_tokens_details": map[string]any{"cached_tokens": 0}, "output_tokens_details": map[string]any{"reasoning_tokens": 0},
		},
	}
}

func message(r *http.Request) any {
	return map[string]any{
		"id": "msg_9Xk2", "type": "message", "role": "assistant", "model": model(r), "stop_reason": "end_turn",
		"content": []any{map[string]any{"type": "text", "text": texts.Completion}},
		"usage":   map[string]any{"input_tokens": 42, "output_tokens": 7},
	}
}

// langfusePrompt is version 7 of whatever prompt is asked for, but for one that nobody knows.
func langfusePrompt(r *http.Request) any {
	if r.PathValue("name") == "unknown" {
		return nil
	}
	return map[string]any{
		"id": "p1", "name": r.PathValue("name"), "version": 7, "type": "text", "prompt": texts.Template + " {{order}}",
		"config": map[string]any{}, "labels": []string{"production"}, "tags": []string{}, "resolutionGraph": nil, "commitMessage": nil,
		"createdAt": "2026-11-01T10:00:00.000Z", "updatedAt": "2026-11-01T10:00:00.000Z", "projectId": "p", "createdBy": "u", "isActive": nil,
	}
}

func langwatchPrompt(r *http.Request) any {
	return map[string]any{
		"id": "prompt_9Xk2", "handle": r.PathValue("name"), "scope": "PROJECT", "name": r.PathValue("name"), "projectId": "p", "organizationId": "o",
		"versionId": "prompt_version_7", "version": 7, "createdAt": "2026-11-01T10:00:00.000Z", "updatedAt": "2026-11-01T10:00:00.000Z",
		"prompt": texts.System, "model": "openai/gpt-4o", "inputs": []any{map[string]any{"identifier": "order", "type": "str"}},
		"outputs": []any{map[string]any{"identifier": "output", "type": "str"}}, "tags": []any{}, "parameters": map[string]any{},
		"messages": []any{map[string]any{"role": "system", "content": texts.System}, map[string]any{"role": "user", "content": texts.Template + " {{ order }}"}},
	}
}

func langsmithPrompt(r *http.Request) any {
	object := func(kwargs map[string]any, id ...string) any {
		return map[string]any{"lc": 1, "type": "constructor", "id": append([]string{"langchain", "prompts"}, id...), "kwargs": kwargs}
	}
	message := object(map[string]any{"prompt": object(map[string]any{
		"input_variables": []string{"order"}, "template": texts.Template + " {order}", "template_format": "f-string",
	}, "prompt", "PromptTemplate")}, "chat", "HumanMessagePromptTemplate")
	return map[string]any{
		"owner": r.PathValue("owner"), "repo": r.PathValue("name"), "commit_hash": "b1d7e4c0ffee00000000000000000000000000000000000000000000000000aa", "examples": []any{},
		"manifest": object(map[string]any{"input_variables": []string{"order"}, "messages": []any{message}}, "chat", "ChatPromptTemplate"),
	}
}

func promptlayerPrompt(r *http.Request) any {
	message := func(role, text string) any {
		return map[string]any{"role": role, "content": []any{map[string]any{"type": "text", "text": text}}, "input_variables": []string{}, "template_format": "f-string"}
	}
	return map[string]any{
		"id": 12, "prompt_name": r.PathValue("name"), "version": 7, "workspace_id": 1, "commit_message": nil, "tags": []string{},
		"prompt_template": map[string]any{"type": "chat", "input_variables": []string{}, "messages": []any{message("system", texts.System), message("user", texts.Template)}},
		"metadata":        map[string]any{"model": map[string]any{"provider": "openai", "name": "gpt-4o", "parameters": map[string]any{}}},
		"llm_kwargs": map[string]any{"model": "gpt-4o", "messages": []any{
			map[string]any{"role": "system", "content": texts.System}, map[string]any{"role": "user", "content": texts.Template}}},
		"snippets": []any{},
	}
}

// traceloopPrompts holds the one prompt of the producer that reads it.
func traceloopPrompts(*http.Request) any {
	const at = "2026-11-01T10:00:00.000Z"
	return map[string]any{"environment": "production", "prompts": []any{map[string]any{
		"id": "p1", "key": "openllmetry.refund", "created_at": at, "updated_at": at,
		"target": map[string]any{"id": "t1", "prompt_id": "p1", "version": "v1", "created_at": at, "updated_at": at},
		"versions": []any{map[string]any{
			"id": "v1", "hash": "b1d7e4", "version": 7, "name": "kinder", "created_at": at, "updated_at": at, "provider": "openai", "templating_engine": "jinja2",
			"messages": []any{map[string]any{"index": 0, "role": "user", "template": texts.Template + " {{ order }}", "variables": []string{"order"}}},
			"llm_config": map[string]any{
				"mode": "chat", "model": "gpt-4o", "temperature": 0.5, "top_p": 1, "stop": []string{}, "frequency_penalty": 0, "presence_penalty": 0,
			},
		}},
	}}}
}

// paths tells what was asked for, for a producer that says nothing else of why it fails.
func (v *vendor) paths() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []string
	for p, n := range v.asked {
		all = append(all, fmt.Sprintf("%d × %s", n, p))
	}
	return strings.Join(all, ", ")
}
