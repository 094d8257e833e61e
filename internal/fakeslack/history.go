package fakeslack

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// history is conversations.history, newest first, and conversations.replies, oldest first: of the messages that are asked for those that
// stand, a page at a time. Metadata is shown where it is asked for.
func (s *Server) history(r *http.Request, is func(*Message) bool, newestFirst bool) answer {
	channel := s.channel(r.PostForm.Get("channel"), false)
	if channel == "" {
		return answer{code: "channel_not_found"}
	}
	limit, err := strconv.Atoi(r.PostForm.Get("limit"))
	if err != nil || limit < 1 || limit > 999 {
		limit = 100
	}
	from, _ := strconv.Atoi(r.PostForm.Get("cursor"))
	metadata := r.PostForm.Get("include_all_metadata") == "1" || r.PostForm.Get("include_all_metadata") == "true"
	all := s.find(func(m *Message) bool { return m.Channel == channel && is(m) })
	if newestFirst {
		slices.Reverse(all)
	} else if len(all) == 0 {
		return answer{code: "thread_not_found"}
	}
	page := []map[string]any{}
	for _, m := range all[min(from, len(all)):min(from+limit, len(all))] {
		out := map[string]any{"type": "message", "ts": m.TS, "text": m.Text, "bot_id": "BBOT"}
		if m.ThreadTS != "" {
			out["thread_ts"] = m.ThreadTS
		}
		if metadata && m.Metadata != nil {
			out["metadata"] = json.RawMessage(m.Metadata)
		}
		page = append(page, out)
	}
	more := map[string]any{"messages": page, "has_more": from+limit < len(all)}
	if from+limit < len(all) {
		more["response_metadata"] = map[string]any{"next_cursor": strconv.Itoa(from + limit)}
	}
	return answer{more: more}
}

// conversations is users.conversations: the channels that the bot is in, on one page.
func (s *Server) conversations() answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Channels)) {
		if id := s.cfg.Channels[name]; !s.mu.outside[id] {
			all = append(all, map[string]any{"id": id, "name": name, "is_channel": true, "is_member": true})
		}
	}
	return answer{more: map[string]any{"channels": all}}
}
