package fakeslack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// post keeps or changes a message. Empty ts posts a new one.
func (s *Server) post(q request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.mu.archived[q.channel]:
		return answer{code: "is_archived"}
	case s.mu.outside[q.channel]:
		return answer{code: "not_in_channel"}
	}
	if code, detail := s.checkMessage(q.text, q.blocks, q.attachments); code != "" {
		return answer{code: code, detail: detail}
	}
	if len(q.metadata) > maxMessageMetadata {
		return answer{code: "metadata_too_large"}
	}
	now := s.cfg.Now()
	lane := "post " + q.channel
	if q.ts != "" {
		lane = "update " + q.channel // of another tier
	}
	if s.cfg.RateLimit {
		if last, ok := s.mu.last[lane]; ok && now.Sub(last) < time.Second {
			return answer{status: http.StatusTooManyRequests, retryAfter: "1", code: "ratelimited"}
		}
	}
	var m *Message
	if q.ts == "" {
		if q.thread != "" && s.message(q.channel, q.thread) == nil {
			return answer{code: "thread_not_found"}
		}
		s.mu.serial++
		m = &Message{Channel: q.channel, TS: fmt.Sprintf("%d.%06d", now.Unix(), s.mu.serial), ThreadTS: q.thread, Broadcast: q.broadcast}
		s.mu.messages = append(s.mu.messages, m)
	} else {
		if m = s.message(q.channel, q.ts); m == nil || m.Deleted {
			return answer{code: "message_not_found"}
		}
		m.Edits++
	}
	s.mu.last[lane] = now
	m.change(q)
	out := *m
	return answer{message: &out}
}

// change takes what is said. Of what nothing is said, attachments stay, and blocks where there is no text either.
func (m *Message) change(q request) {
	if q.attachments != nil || m.Edits == 0 {
		m.Attachments = none(q.attachments)
	}
	if q.blocks != nil || q.text != "" || m.Edits == 0 {
		m.Blocks = none(q.blocks)
	}
	if q.metadata != nil {
		m.Metadata = q.metadata
	}
	m.Text = q.text
}

// none makes an empty list nothing at all.
func none(raw json.RawMessage) json.RawMessage {
	if s := string(raw); s == "[]" || s == "null" {
		return nil
	}
	return raw
}

// message finds one, a deleted one too.
func (s *Server) message(channel, ts string) *Message {
	for _, m := range s.mu.messages {
		if m.Channel == channel && m.TS == ts {
			return m
		}
	}
	return nil
}

// Ephemeral is a message that one person sees.
type Ephemeral struct {
	Channel, User, Text string
	Blocks              json.RawMessage
}

// Ephemerals returns what people were told by themselves, oldest first.
func (s *Server) Ephemerals() []Ephemeral {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Ephemeral(nil), s.mu.ephemerals...)
}

func (s *Server) ephemeral(e Ephemeral) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if code, detail := s.checkMessage(e.Text, e.Blocks, nil); code != "" {
		return answer{code: code, detail: detail}
	}
	if _, ok := s.cfg.Users[e.User]; !ok {
		return answer{code: "user_not_in_channel"}
	}
	s.mu.ephemerals = append(s.mu.ephemerals, e)
	return answer{more: map[string]any{"message_ts": fmt.Sprintf("%d.000000", s.cfg.Now().Unix())}}
}
