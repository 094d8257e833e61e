package fakeslack

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
)

// maxRequest is the largest request that is read, in bytes.
const maxRequest = 4 << 20

// scopes are those that a method needs.
var scopes = map[string]string{
	"chat.postMessage": "chat:write", "chat.update": "chat:write", "chat.postEphemeral": "chat:write",
	"files.getUploadURLExternal": "files:write", "files.completeUploadExternal": "files:write",
	"usergroups.users.list": "usergroups:read",
	"conversations.history": "channels:history", "conversations.replies": "channels:history", "users.conversations": "channels:read",
}

// api answers a Web API method. Arguments come as a form or as JSON, the token as an argument or as a bearer.
func (s *Server) api(method string, r *http.Request) answer {
	s.seenAt(r)
	r.Body = io.NopCloser(io.LimitReader(r.Body, maxRequest))
	var body json.RawMessage
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil && err != io.EOF { // one without arguments has no body
			return answer{code: "invalid_json"}
		}
	} else if err := r.ParseForm(); err != nil {
		return answer{code: "invalid_form_data"}
	}
	token := r.PostForm.Get("token")
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		token = bearer
	}
	if method == "apps.connections.open" {
		return s.open(token)
	}
	switch token {
	case s.cfg.Token:
	case "":
		return answer{code: "not_authed"}
	default:
		return answer{code: "invalid_auth"}
	}
	if need := scopes[method]; need != "" && s.cfg.Scopes != nil && !slices.Contains(s.cfg.Scopes, need) {
		return answer{code: "missing_scope", more: map[string]any{"needed": need, "provided": strings.Join(s.cfg.Scopes, ",")}}
	}
	switch method {
	case "auth.test":
		return answer{more: map[string]any{"user_id": "UBOT", "team_id": "T0", "url": "https://acme.slack.test/"}}
	case "chat.postMessage", "chat.update":
		return s.chat(method, r)
	case "chat.postEphemeral":
		channel := s.channel(r.PostForm.Get("channel"), true)
		if channel == "" {
			return answer{code: "channel_not_found"}
		}
		return s.ephemeral(Ephemeral{Channel: channel, User: r.PostForm.Get("user"), Text: r.PostForm.Get("text"), Blocks: raw(r, "blocks")})
	case "conversations.history":
		return s.history(r, func(m *Message) bool { return m.ThreadTS == "" || m.Broadcast }, true)
	case "conversations.replies":
		ts := r.PostForm.Get("ts")
		return s.history(r, func(m *Message) bool { return m.TS == ts || m.ThreadTS == ts }, false)
	case "users.conversations":
		return s.conversations()
	case "files.getUploadURLExternal":
		return s.uploadURL(r)
	case "files.completeUploadExternal":
		return s.completeUpload(r)
	case "views.open":
		return s.openView(body)
	case "usergroups.users.list":
		return s.members(r.PostForm.Get("usergroup"))
	}
	return answer{code: "unknown_method"}
}

// seenAt notes by which address it is known, for the addresses that it gives out.
func (s *Server) seenAt(r *http.Request) {
	scheme := r.URL.Scheme
	if scheme == "" {
		scheme = "http"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.base = scheme + "://" + r.Host
}

// raw is a JSON argument, nil where it is not there.
func raw(r *http.Request, name string) json.RawMessage {
	if !r.PostForm.Has(name) {
		return nil
	}
	return json.RawMessage(r.PostForm.Get(name))
}

func (s *Server) chat(method string, r *http.Request) answer {
	q := request{
		text: r.PostForm.Get("text"), ts: r.PostForm.Get("ts"), thread: r.PostForm.Get("thread_ts"),
		broadcast: r.PostForm.Get("reply_broadcast") == "true",
		blocks:    raw(r, "blocks"), attachments: raw(r, "attachments"), metadata: raw(r, "metadata"),
		channel: s.channel(r.PostForm.Get("channel"), method == "chat.postMessage"),
	}
	if q.channel == "" {
		return answer{code: "channel_not_found"}
	}
	if update := method == "chat.update"; update != (q.ts != "") || q.broadcast && q.thread == "" {
		return answer{code: "invalid_arguments"}
	}
	if method == "chat.update" {
		q.thread = ""
	}
	return s.post(q)
}

// channel finds a channel by its id, or by its name where that is allowed, as with the real one.
func (s *Server) channel(as string, byName bool) string {
	for name, id := range s.cfg.Channels {
		if as == id || byName && strings.TrimPrefix(as, "#") == name {
			return id
		}
	}
	return ""
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
	for k, v := range a.more {
		body[k] = v
	}
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
