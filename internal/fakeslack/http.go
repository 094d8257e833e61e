package fakeslack

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// maxRequest is the largest request that is read, in bytes.
const maxRequest = 4 << 20

// api answers a Web API method. Arguments come as a form, the token as an argument or as a bearer.
func (s *Server) api(method string, r *http.Request) answer {
	r.Body = io.NopCloser(io.LimitReader(r.Body, maxRequest))
	if err := r.ParseForm(); err != nil {
		return answer{code: "invalid_form_data"}
	}
	token := r.PostForm.Get("token")
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		token = bearer
	}
	switch token {
	case s.cfg.Token:
	case "":
		return answer{code: "not_authed"}
	default:
		return answer{code: "invalid_auth"}
	}
	q := request{
		text: r.PostForm.Get("text"), ts: r.PostForm.Get("ts"),
		blocks: json.RawMessage(r.PostForm.Get("blocks")), attachments: json.RawMessage(r.PostForm.Get("attachments")),
	}
	channel := r.PostForm.Get("channel")
	for name, id := range s.cfg.Channels {
		// chat.update knows ids only, as the real one.
		if channel == id || method == "chat.postMessage" && strings.TrimPrefix(channel, "#") == name {
			q.channel = id
		}
	}
	switch method {
	case "auth.test":
		return answer{}
	case "chat.postMessage", "chat.update":
		if q.channel == "" {
			return answer{code: "channel_not_found"}
		}
		if update := method == "chat.update"; update != (q.ts != "") {
			return answer{code: "invalid_arguments"}
		}
		return s.post(q)
	}
	return answer{code: "unknown_method"}
}

func writeAPI(w http.ResponseWriter, a answer) {
	if a.retryAfter != "" {
		w.Header().Set("Retry-After", a.retryAfter)
	}
	if a.status != 0 && a.status != http.StatusOK && a.status != http.StatusTooManyRequests {
		http.Error(w, a.code, a.status)
		return
	}
	body := map[string]any{"ok": a.code == ""}
	if a.code != "" {
		body["error"] = a.code
	}
	if a.detail != "" {
		body["response_metadata"] = map[string]any{"messages": []string{"[ERROR] " + a.detail}}
	}
	if m := a.message; m != nil {
		body["channel"], body["ts"], body["text"] = m.Channel, m.TS, m.Text
		body["message"] = map[string]any{"type": "message", "ts": m.TS, "text": m.Text}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	_ = json.NewEncoder(w).Encode(body)
}

// incoming answers a POST to an incoming webhook: JSON in, "ok" or an error code out.
func (s *Server) incoming(r *http.Request) answer {
	channel, ok := s.cfg.Webhooks[r.URL.Path]
	if !ok {
		return answer{status: http.StatusNotFound, code: "no_service"}
	}
	var body struct {
		Text        string          `json:"text"`
		Blocks      json.RawMessage `json:"blocks"`
		Attachments json.RawMessage `json:"attachments"`
	}
	if json.NewDecoder(io.LimitReader(r.Body, maxRequest)).Decode(&body) != nil {
		return answer{status: http.StatusBadRequest, code: "invalid_payload"}
	}
	a := s.post(request{channel: channel, text: body.Text, blocks: body.Blocks, attachments: body.Attachments})
	switch {
	case a.code == "is_archived":
		a.status, a.code = http.StatusGone, "channel_is_archived"
	case a.code != "" && a.status == 0:
		a.status = http.StatusBadRequest
	}
	return a
}

func writeIncoming(w http.ResponseWriter, a answer) {
	if a.retryAfter != "" {
		w.Header().Set("Retry-After", a.retryAfter)
	}
	if a.status != 0 && a.status != http.StatusOK {
		http.Error(w, a.code, a.status)
		return
	}
	_, _ = io.WriteString(w, "ok")
}
